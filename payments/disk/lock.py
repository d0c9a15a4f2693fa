"""Locks between processes, all ``flock``: on lock files beside what they guard, or on its folder.

A lock file is never unlinked: a process waiting on the old file and one that makes a new file would both get the lock.
A process that dies releases its locks, even by kill -9. One that is stopped keeps them, so code that must answer a
request waits with a timeout.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor, unlock_descriptor

from payments.disk.operations import open_regular

_POLL_S = 0.01


class LockTimeout(Exception):
    """Another process kept the lock for longer than the caller would wait."""


@contextmanager
def brief_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock file ``path`` for a rare operation, such as replacing a small file. Raises ``LockTimeout``."""
    lock = FileLock(path, timeout=timeout_s, mode=0o600, poll_interval=0.005, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockTimeout(str(path)) from error
    try:
        yield
    finally:
        lock.release()


def hold_folder(path: Path, timeout_s: float, *, alone: bool) -> int:
    """Lock the folder ``path`` itself: shared by processes that use its files, or ``alone`` to exchange the files.

    Returns a descriptor; close it to release the lock. Raises ``LockTimeout`` and ``OSError``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _poll(lambda: _try_flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH), timeout_s):
            raise LockTimeout(str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def lock_free(path: Path, timeout_s: float) -> Iterator[None]:
    """Wait at most ``timeout_s`` until the lock ``path`` is free, and keep it from being taken within the ``with``.

    Needs only read access to the lock file. Does nothing if the file is missing or unreadable.
    """
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        _poll(lambda: _try_flock(descriptor, fcntl.LOCK_SH), timeout_s)
        yield
    finally:
        os.close(descriptor)


def _poll(attempt: Callable[[], bool], timeout_s: float) -> bool:
    """Repeat ``attempt`` until it succeeds; whether it did in time."""
    deadline_s = time.monotonic() + timeout_s
    while not attempt():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(_POLL_S)
    return True


def _try_flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class HotLock:
    """A lock that several processes take thousands of times per second. Not thread-safe; callers must serialise.

    It excludes a ``filelock.FileLock`` on the same file. Unlike that, it keeps the descriptor open (1 µs instead of 66
    if uncontended), and ``acquire`` queues in the kernel, because polling can starve.

    Make it after the fork: inherited descriptors share one lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._descriptor, self._inode = self._open()

    def acquire(self) -> None:
        """Take the lock. Waits without a limit: nothing can interrupt a thread in ``flock``."""
        # Not lock_descriptor: it polls.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        while not self.path_is_current():
            # The lock file was unlinked: this lock would not exclude processes that opened a new one.
            self._reopen()
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def acquire_within(self, timeout_s: float) -> None:
        """As ``acquire``, but polls and raises ``LockTimeout`` after ``timeout_s``."""
        if not _poll(self.acquire_now, timeout_s):
            raise LockTimeout(self._path)

    def acquire_now(self) -> bool:
        """Take the lock if it is free; whether it is held now."""
        while lock_descriptor(self._descriptor, blocking=False):
            if self.path_is_current():
                return True
            self._reopen()
        return False

    def release(self) -> None:
        unlock_descriptor(self._descriptor)

    def close(self) -> None:
        """Release the lock and close the file. No thread may be in ``acquire``."""
        os.close(self._descriptor)

    def _reopen(self) -> None:
        try:
            descriptor, inode = self._open()
        except OSError:
            self.release()
            raise
        os.close(self._descriptor)
        self._descriptor, self._inode = descriptor, inode

    def _open(self) -> tuple[int, int]:
        descriptor = open_regular(self._path, os.O_RDWR | os.O_CREAT)
        return descriptor, os.fstat(descriptor).st_ino

    def path_is_current(self) -> bool:
        """Whether the path still names the locked file; if not, processes that open it now are not excluded."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False
