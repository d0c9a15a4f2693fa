"""Replaces a file atomically: readers, and a start after a crash, see the old or the new content, never a mixture."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from payments.disk.operations import Disk, write_all


def replace_file(disk: Disk, path: Path, parts: Iterable[bytes], temporary: Path | None = None) -> None:
    """Replace the content of ``path`` by ``parts``; durable when this returns.

    ``temporary``, in the same folder, defaults to ``<path>.new``. Concurrent writers must not share it: callers hold a
    lock or pass a name of their own. Raises ``OSError``, and whatever ``parts`` raises; the old file then stays, unless
    only the sync of the folder failed.
    """
    temporary = temporary or path.with_name(f"{path.name}.new")
    try:
        write_file(disk, temporary, parts)
        disk.replace(temporary, path)
    except BaseException:
        # On a full disk, the unfinished file would take the space that the journal needs.
        with suppress(OSError):
            disk.remove(temporary)
        raise
    disk.sync_folder(path.parent)


def write_file(disk: Disk, path: Path, parts: Iterable[bytes]) -> None:
    """Write ``parts`` into a new file ``path``; its content is on disk when this returns, its name perhaps not.

    An existing file is removed, not overwritten: it may be a link, or another name of another file. Raises ``OSError``.
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
