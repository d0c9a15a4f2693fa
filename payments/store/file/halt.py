"""A file whose existence stops every writer after a failed sync.

A failed sync is never retried: the kernel has already marked the lost pages as clean, so the next sync would succeed
although the data is lost (Rebello et al., ATC'20; PostgreSQL's "fsync errors"). Only reading the journal back from the
disk shows what is there.
"""

from contextlib import suppress
from pathlib import Path

from payments.disk import Disk, write_file


def mark_path(journal_path: Path) -> Path:
    """The file that exists from a failed sync until a start has verified the journal."""
    return journal_path.with_name(f"{journal_path.name}.halted")


def set_mark(disk: Disk, journal_path: Path, why: str) -> None:
    """Stop the other processes. If the failing disk prevents that, each fails at its own next sync."""
    mark = mark_path(journal_path)
    if disk.exists(str(mark)):
        return
    with suppress(OSError):
        write_file(disk, mark, [f"{why}\n".encode()])
        disk.sync_folder(mark.parent)


def clear_mark(disk: Disk, journal_path: Path) -> None:
    """Remove the mark, once the journal has been verified from disk."""
    disk.remove(mark_path(journal_path))
    disk.sync_folder(journal_path.parent)
