"""Locks between processes, all ``flock``: on lock files beside what they guard, or on its folder.

The only importer of filelock.

A lock file is never unlinked: whoever still waits on the old one would then share the lock with whoever makes the new.
A process that dies, by kill -9 too, lets go; one that is stopped keeps its lock, so whoever owes somebody an answer
does not wait for a lock without a limit.
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
    """Hold ``path`` for a rare piece of work, such as replacing a small file. Raises ``LockTimeout``."""
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
    """Hold the folder ``path`` itself: together with all who use what is in it, or ``alone``, to exchange that.

    Returns a descriptor; to close it is to let go. Raises ``LockTimeout`` and ``OSError``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _poll(lambda: _take(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH), timeout_s):
            raise LockTimeout(str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def lock_free(path: Path, timeout_s: float) -> Iterator[None]:
    """Wait until nobody has the lock ``path``, at most for so long, and let nobody have it for a moment.

    Needs no more than to read the lock file; where there is none, or none that may be read, it waits for nothing.
    """
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        _poll(lambda: _take(descriptor, fcntl.LOCK_SH), timeout_s)
        yield
    finally:
        os.close(descriptor)


def _poll(attempt: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``attempt`` succeeds in time, made again and again."""
    deadline_s = time.monotonic() + timeout_s
    while not attempt():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(_POLL_S)
    return True


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class HotLock:
    """A lock taken thousands of times a second by several processes; one thread of each at a time (the caller's care).

    The same lock as ``filelock.FileLock`` on the same file: the two exclude each other. Unlike it, the descriptor
    stays open (1 µs instead of 66 for an uncontended turn), and ``acquire`` queues up in the kernel instead of
    polling, which starves whoever polls at the wrong moments.

    Make it after the fork: descriptors inherited over a fork share one lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._descriptor, self._inode = self._open()

    def acquire(self) -> None:
        """Returns with the lock held, however long that takes: nothing wakes a thread in ``flock``."""
        # Not lock_descriptor: it polls.
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        while not self.path_is_current():
            # Somebody unlinked the lock file: this lock excludes nobody who came later.
            self._reopen()
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def acquire_within(self, timeout_s: float) -> None:
        """As ``acquire``, by polling, for whoever has no thread to spare. Raises ``LockTimeout`` too."""
        if not _poll(self.acquire_now, timeout_s):
            raise LockTimeout(self._path)

    def acquire_now(self) -> bool:
        """Whether the lock was to be had, and is held now."""
        while lock_descriptor(self._descriptor, blocking=False):
            if self.path_is_current():
                return True
            self._reopen()
        return False

    def release(self) -> None:
        unlock_descriptor(self._descriptor)

    def close(self) -> None:
        """Let go of everything; nobody may be in ``acquire``."""
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
        """Whether the path still names the file that is locked; if not, the lock excludes nobody who came later."""
        try:
            return os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False
