"""Locks between processes, all ``flock``, all on lock files beside what they guard. The only importer of filelock.

A lock file is never unlinked: whoever still waits on the old one would then share the lock with whoever makes the new.
A process that dies, by kill -9 too, lets go; one that is stopped keeps its lock, so every wait here is bounded.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from filelock import FileLock, Timeout, lock_descriptor, unlock_descriptor


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


class HotLock:
    """A lock taken thousands of times a second by several processes; one thread of each at a time (the caller's care).

    The same lock as ``filelock.FileLock`` on the same file: the two exclude each other. Unlike it, the
    descriptor stays open (1 µs instead of 66 for an uncontended turn), and a wait queues up in the kernel instead of
    polling, which starves whoever polls at the wrong moments. A thread in ``flock`` cannot be woken, so a helper
    thread does the waiting, and whoever asked waits for the helper with a time limit.

    Make it after the fork: descriptors inherited over a fork share one lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._descriptor, self._inode = self._open()
        self._mutex = threading.Lock()
        self._waits: SimpleQueue[int] = SimpleQueue()
        self._helper: threading.Thread | None = None
        self._waiting = False  # the helper is in flock
        self._wanted = False  # somebody waits for the helper
        self._closed = False
        self._granted = threading.Semaphore(0)

    def acquire(self, timeout_s: float) -> None:
        """Returns with the lock held. Raises ``LockTimeout`` after ``timeout_s``, and ``OSError``."""
        self._acquire(timeout_s)
        while not self._names_the_open_file():
            # Somebody unlinked the lock file: this lock excludes nobody who came later.
            self._reopen()
            self._acquire(timeout_s)

    def release(self) -> None:
        unlock_descriptor(self._descriptor)

    def close(self) -> None:
        """Let go of everything; nobody may hold the lock or wait for it any more."""
        with self._mutex:
            self._closed = True
            # A helper that still waits needs the descriptor, whose number must not come to mean another file.
            if not self._waiting:
                os.close(self._descriptor)
        self._waits.put(-1)

    def _acquire(self, timeout_s: float) -> None:
        with self._mutex:
            # While the helper waits for this descriptor, only the helper may lock it.
            if not self._waiting:
                if lock_descriptor(self._descriptor, blocking=False):
                    return
                self._waiting = True
                self._waits.put(self._descriptor)
                self._start_helper()
            self._wanted = True
        if self._granted.acquire(timeout=timeout_s):
            return
        with self._mutex:
            if self._granted.acquire(blocking=False):
                return
            self._wanted = False
        raise LockTimeout(self._path)

    def _start_helper(self) -> None:
        if self._helper is None:
            self._helper = threading.Thread(target=self._wait_in_turn, name="lock-helper", daemon=True)
            self._helper.start()

    def _wait_in_turn(self) -> None:
        while (descriptor := self._waits.get()) >= 0:
            # Not lock_descriptor: it polls, and the queue in the kernel is the reason for this thread.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with self._mutex:
                self._waiting = False
                if self._closed:
                    os.close(descriptor)
                elif self._wanted:
                    self._wanted = False
                    self._granted.release()
                else:
                    unlock_descriptor(descriptor)

    def _reopen(self) -> None:
        try:
            descriptor, inode = self._open()
        except OSError:
            self.release()
            raise
        os.close(self._descriptor)
        self._descriptor, self._inode = descriptor, inode

    def _open(self) -> tuple[int, int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return descriptor, os.fstat(descriptor).st_ino

    def _names_the_open_file(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False
