"""The file operations that storage is made of, each one call to the operating system."""

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path | str, flags: int) -> int:
    """A descriptor for the regular file ``path``, closed on exec; a file that this makes is 0600. Raises ``OSError``.

    A link is never followed: whoever may write in the folder could have another file read, or written over, by it. And
    nobody waits for a pipe by that name to have another end.
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
    """The real one. Every method may raise ``OSError``; none retries or hides anything."""

    def open(self, path: Path, flags: int) -> int:
        """As ``open_regular``."""
        return open_regular(path, flags)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        """``path`` and the folders above it, where missing: 0700, and synced into the folder that holds them."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(folder.parent)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """How many bytes of ``data`` were taken; fewer than given when the disk fills up."""
        return os.write(descriptor, data)

    def read(self, descriptor: int, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer at the end of the file only."""
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
        """What no other file has as long as this one is open: inode and device."""
        opened = os.fstat(descriptor)
        return opened.st_ino, opened.st_dev

    def stamp(self, descriptor: int) -> tuple[int, ...]:
        """What tells the file from any other, and from itself before it was last written to."""
        opened = os.fstat(descriptor)
        return opened.st_ino, opened.st_dev, opened.st_size, opened.st_mtime_ns

    def sync(self, descriptor: int) -> None:
        """Returns when the file's data and size are on disk (``fdatasync``)."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def make_read_only(self, descriptor: int) -> None:
        """Nobody opens it for writing by accident any more; descriptors that are open can still write."""
        os.fchmod(descriptor, 0o400)

    def replace(self, source: Path, target: Path) -> None:
        """Give ``source`` the name ``target``, atomically; durable once the folder is synced."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync_folder(self, path: Path) -> None:
        """Returns when the names in the folder are on disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def forget_cache(self, descriptor: int) -> None:
        """Let the next read come from the disk: after a failed sync the cache shows what was never written."""
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def exists(self, path: str) -> bool:
        return os.access(path, os.F_OK)

    def status(self, path: Path | str) -> os.stat_result | None:
        """Which file ``path`` names, and its size; ``None`` where it names none."""
        try:
            return os.stat(path)
        except FileNotFoundError:
            return None


def write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    """Write all of ``data``; ``OSError`` as soon as the disk takes no more, with part of it written."""
    view = memoryview(data)
    while view:
        view = view[disk.write(descriptor, view) :]
