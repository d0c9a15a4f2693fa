"""Finds what would prevent the use of a file, without making or changing anything."""

import errno
import os
from pathlib import Path


def access_problems(path: Path) -> list[tuple[Path, str]]:
    """Why ``path`` cannot be made, read or written: the path at fault and the system's message. At most one item."""
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if os.path.lexists(each))
    if nearest == path.absolute():
        if path.is_dir():
            return [(path, os.strerror(errno.EISDIR))]
        return [] if os.access(path, os.R_OK | os.W_OK) else [(path, os.strerror(errno.EACCES))]
    if not nearest.is_dir():
        return [(nearest, os.strerror(errno.ENOTDIR))]
    return [] if os.access(nearest, os.W_OK | os.X_OK) else [(nearest, os.strerror(errno.EACCES))]
