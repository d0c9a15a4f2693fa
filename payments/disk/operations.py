"""The file operations that storage is made of, each one call to the operating system."""

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path | str, flags: int) -> int:
    """A descriptor for the regular file ``path``, closed on exec; a file that this makes is 0600. Raises ``OSError``.

    Never follows a link, by which anyone who may write in the folder could have another file read or overwritten. Does
    not block on a pipe.
    """
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a symbolic link, which is never followed", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


class Disk:
    """File operations on the real disk. Every method may raise ``OSError``; none retries or hides an error."""

    def open(self, path: Path, flags: int) -> int:
        """As ``open_regular``."""
        return open_regular(path, flags)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        """Make ``path`` and its missing parents with mode 0700, and sync each into its parent."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(folder.parent)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write ``data``; returns how many bytes were written, fewer than given when the disk fills up."""
        return os.write(descriptor, data)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """``length`` bytes from ``offset``; fewer only at the end of the file."""
        data = os.pread(descriptor, length, offset)
        while 0 < len(data) < length:
            more = os.pread(descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def size(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_size

    def identity(self, descriptor: int) -> tuple[int, int]:
        """Inode and device, which no other file has while this one is open."""
        opened = os.fstat(descriptor)
        return opened.st_ino, opened.st_dev

    def stamp(self, descriptor: int) -> tuple[int, ...]:
        """Inode, device, size and time of change: differs between files, and after each write to a file."""
        opened = os.fstat(descriptor)
        return opened.st_ino, opened.st_dev, opened.st_size, opened.st_mtime_ns

    def sync(self, descriptor: int) -> None:
        """Put the file's data and size on disk (``fdatasync``)."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def make_read_only(self, descriptor: int) -> None:
        """Set mode 0400, so that it is not opened for writing by accident; open descriptors can still write."""
        os.fchmod(descriptor, 0o400)

    def replace(self, source: Path, target: Path) -> None:
        """Rename ``source`` to ``target``, atomically; durable once the folder is synced."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync_folder(self, path: Path) -> None:
        """Put the names in the folder on disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def forget_cache(self, descriptor: int) -> None:
        """Make the next read come from disk: after a failed sync, the cache may hold data that was never written."""
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def exists(self, path: str) -> bool:
        return os.access(path, os.F_OK)

    def status(self, path: Path | str) -> os.stat_result | None:
        """The status of the file ``path``; ``None`` if there is none."""
        try:
            return os.stat(path)
        except FileNotFoundError:
            return None


def write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    """Write all of ``data``. Raises ``OSError`` when the disk is full; part of it may be written then."""
    view = memoryview(data)
    while view:
        view = view[disk.write(descriptor, view) :]
