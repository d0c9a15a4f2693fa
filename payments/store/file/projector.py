"""A thread that keeps the projections up to date at a bounded cost (rule 5.4)."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from payments.disk import Disk
from payments.disk.lock import LockTimeout, brief_lock
from payments.errors import PaymentsError
from payments.store.file import snapshot
from payments.store.file.snapshot import Paths, Snapshot

log = logging.getLogger(__name__)

MIN_INTERVAL_S = 0.1
"""Shortest time between two updates of the projections, by whichever process."""

MAX_CPU_SHARE = 0.02
"""All processes together spend at most this share of one processor on writing projections."""

_RETRY_S = 0.1
"""How long to wait before a retry if another process is writing them or the disk fails."""

_CLOSE_S = 5.0

_CATCH_UP_S = 1.0
"""How often an idle process reads what others have recorded. Reading holds the lock for 7 µs per entry, so a process
that was idle for a night would block the others if it read everything at once."""


class Projector:
    """Writes the projections from one process's state; the processes take turns.

    ``capture`` returns a copy of the state that is on disk; ``catch_up`` updates the state with what others recorded.
    No caller waits for this thread. The journal has everything, so failures are logged and retried.
    """

    def __init__(
        self,
        disk: Disk,
        paths: Paths,
        capture: Callable[[], Snapshot],
        catch_up: Callable[[], object],
        credit_unit: str,
        *,
        seq: int,
        must_write: bool,
    ) -> None:
        """Update the projections once, unless another process is doing so.

        ``must_write``: write them even if they show ``seq``, because one is unusable.
        """
        self._disk = disk
        self._paths = paths
        self._capture = capture
        self._catch_up = catch_up
        self._credit_unit = credit_unit
        self._lock_path = paths.sessions.with_name(f"{paths.sessions.name}.lock")
        self._wanted_seq = seq
        self._must_write = must_write
        self._last_write_s = 0.0
        self._is_failing = False
        self._has_work = threading.Event()
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self.try_update(seq)
        self.follow(seq)

    def follow(self, seq: int) -> None:
        """Make sure that the projections soon show the entries up to ``seq``; returns at once."""
        self._wanted_seq = max(seq, self._wanted_seq)
        # Checked first, because setting the event costs as much as the rest of this method.
        if not self._has_work.is_set():
            self._has_work.set()
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
                    self._thread.start()

    def close(self, seq: int) -> None:
        """End the thread, and update the projections up to ``seq``; gives up after some seconds."""
        self._closing.set()
        self._has_work.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        deadline_s = time.monotonic() + _CLOSE_S
        while not self.try_update(seq) and not self._is_failing and time.monotonic() < deadline_s:
            time.sleep(_RETRY_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self._has_work.wait(_CATCH_UP_S):
                with suppress(PaymentsError):
                    self._catch_up()
                continue
            self._closing.wait(self._pause_s())
            self._has_work.clear()
            while not self._closing.is_set() and not self.try_update(self._wanted_seq):
                self._closing.wait(_RETRY_S)

    def try_update(self, seq: int) -> bool:
        """Update the projections if they lack the entry ``seq``; whether they show it now. Never waits for the lock."""
        try:
            # Before locking: filelock would make a missing folder readable by everyone.
            self._disk.make_folder(self._lock_path.parent)
            with brief_lock(self._lock_path, timeout_s=0):
                shown_seq = snapshot.reflected_seq(self._paths)
                if self._must_write or shown_seq is None or shown_seq < seq:
                    self._write()
            self._is_failing = False
        except LockTimeout:
            return False
        except (OSError, PaymentsError) as error:
            if not self._is_failing:
                log.warning("PAY-D10 %s cannot be brought up to date: %s", ", ".join(map(str, self._paths)), error)
            self._is_failing = True
            return False
        return True

    def _write(self) -> None:
        begun_s = time.thread_time()
        snapshot.write(self._disk, self._paths, self._capture(), self._credit_unit)
        self._last_write_s = time.thread_time() - begun_s
        self._must_write = False

    def _pause_s(self) -> float:
        """Seconds to wait so that writing stays within ``MAX_CPU_SHARE`` and ``MIN_INTERVAL_S``."""
        try:
            age_s = max(0.0, time.time() - self._paths.sessions.stat().st_mtime)
        except OSError:
            return 0.0
        return max(0.0, max(MIN_INTERVAL_S, self._last_write_s / MAX_CPU_SHARE) - age_s)
