"""Replace a file as a whole, so that a reader or a crash sees the old or the new, never a mixture."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from payments.disk.operations import Disk, write_all


def replace_file(disk: Disk, path: Path, parts: Iterable[bytes], temporary: Path | None = None) -> None:
    """Make ``parts``, one after the other, the content of ``path``; durable when it returns.

    ``temporary``, in the same folder, is ``<path>.new`` unless given; two writers at once must not share it, so callers
    hold a lock of their own, or give it a name of their own. Raises ``OSError``, and what ``parts`` raises; the old
    file then stands, unless the sync of the folder was all that failed.
    """
    temporary = temporary or path.with_name(f"{path.name}.new")
    try:
        write_file(disk, temporary, parts)
        disk.replace(temporary, path)
    except BaseException:
        # On a full disk the half-written file would keep the space that the journal is waiting for.
        with suppress(OSError):
            disk.remove(temporary)
        raise
    disk.sync_folder(path.parent)


def write_file(disk: Disk, path: Path, parts: Iterable[bytes]) -> None:
    """Make a new file ``path`` of ``parts``; on disk when it returns, the name perhaps not. Raises ``OSError``.

    What has that name already is removed, not written to: it may be a link, or a second name of another file.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = disk.open(path, flags)
    except FileExistsError:
        disk.remove(path)
        descriptor = disk.open(path, flags)
    try:
        for part in parts:
            write_all(disk, descriptor, part)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
