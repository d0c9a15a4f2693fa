"""The mark that stops every writer after a failed sync.

A sync that fails is never tried again: the kernel has marked the lost pages as written, so the next one would succeed
and lie (Rebello et al., ATC'20; PostgreSQL's "fsync errors"). Only reading the journal back from the disk tells what
is there.
"""

from contextlib import suppress
from pathlib import Path

from payments.disk import Disk, write_file


def mark_path(journal_path: Path) -> Path:
    """The file whose existence says that a sync of the journal failed and nobody has verified it since."""
    return journal_path.with_name(f"{journal_path.name}.halted")


def set_mark(disk: Disk, journal_path: Path, why: str) -> None:
    """Tell the other processes. As good as the failing disk allows: each also sees the failure at its own next sync."""
    mark = mark_path(journal_path)
    if disk.exists(str(mark)):
        return
    with suppress(OSError):
        write_file(disk, mark, [f"{why}\n".encode()])
        disk.sync_folder(mark.parent)


def clear_mark(disk: Disk, journal_path: Path) -> None:
    """The journal has been verified from disk."""
    disk.remove(mark_path(journal_path))
    disk.sync_folder(journal_path.parent)
