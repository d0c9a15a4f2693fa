"""Keeps the projections up to date at a bounded cost."""

import logging
import threading
import time
from collections.abc import Callable

from payments.disk import Disk
from payments.disk.lock import LockTimeout, brief_lock
from payments.errors import PaymentsError
from payments.store.file import snapshot
from payments.store.file.snapshot import Paths, Snapshot

log = logging.getLogger(__name__)

PROMPT_RECORDS = 128
"""With up to so many, the projections are written before the answer leaves: about a millisecond."""

SHARE = 0.05
"""With more, all processes together spend at most this share of the time on writing them."""

_REST_S, _RESTS_S = 0.002, 1.0
"""How long to rest between two pieces of them, and in all. Without it, requests meet one piece after the other: at half
the peak rate, 1 in 100 took 11 to 15 ms instead of 6 to 8."""


class Projector:
    """Writes the projections of one process's state, in turn with the other processes'.

    ``capture`` returns the state, copied and on disk. A projection that cannot be written is no reason to refuse an
    event: the journal has it. It is logged, and tried again with the next one.
    """

    def __init__(self, disk: Disk, paths: Paths, capture: Callable[[], Snapshot], credit_unit: str) -> None:
        self._disk = disk
        self._paths = paths
        self._capture = capture
        self._credit_unit = credit_unit
        self._lock_path = paths.sessions.with_name(f"{paths.sessions.name}.lock")
        self._one_at_a_time = threading.Lock()
        self._wanted_seq = 0
        self._written_seq = -1
        self._took_s = 0.0
        self._failing = False
        self._news = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, seq: int, record_count: int) -> None:
        """See to it that the projections show the entries up to ``seq``: at once while that is cheap, else soon."""
        if record_count <= PROMPT_RECORDS:
            self.write(seq)
            return
        if self._thread is None:
            with self._one_at_a_time:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._follow, name="projector", daemon=True)
                    self._thread.start()
        self._wanted_seq = seq
        if not self._news.is_set():
            self._news.set()

    def write(self, seq: int, *, must: bool = False, gently: bool = False) -> None:
        """Write the projections unless they show ``seq`` already, whoever wrote them; ``must``: in any case.

        ``gently``: with rests, so that other threads are held up less.
        """
        with self._one_at_a_time:
            if self._written_seq >= seq and not must:
                return
            try:
                # Before the lock: filelock would make the folder too, and open it to everybody.
                self._disk.make_folder(self._lock_path.parent)
                with brief_lock(self._lock_path, timeout_s=5):
                    shown_seq = snapshot.reflected_seq(self._paths)
                    if must or shown_seq is None or shown_seq < seq:
                        shown_seq = self._write(gently=gently)
                    self._written_seq = shown_seq
                self._failing = False
            except (OSError, LockTimeout, PaymentsError) as error:
                if not self._failing:
                    log.warning("%s cannot be brought up to date: %s", ", ".join(map(str, self._paths)), error)
                self._failing = True

    def close(self, seq: int) -> None:
        """Write a last time if there is news, and end the thread."""
        self._closing.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
        self.write(seq)

    def _write(self, *, gently: bool) -> int:
        begun_s = time.monotonic()
        state, position = self._capture()
        rest_s = min(_REST_S, _RESTS_S / snapshot.slices(state.record_count)) if gently else 0.0
        rested_s = 0.0

        def rest() -> None:
            nonlocal rested_s
            if rest_s:
                rest_begun_s = time.monotonic()
                self._closing.wait(rest_s)
                rested_s += time.monotonic() - rest_begun_s

        snapshot.write(self._disk, self._paths, Snapshot(state, position), self._credit_unit, rest)
        self._took_s = time.monotonic() - begun_s - rested_s
        return position.seq

    def _follow(self) -> None:
        while not self._closing.is_set():
            self._news.wait()
            self._closing.wait(self._pause_s())
            self._news.clear()
            if not self._closing.is_set():
                self.write(self._wanted_seq, gently=True)

    def _pause_s(self) -> float:
        """How long to wait so that the writing, this process's and the others', keeps to its share."""
        try:
            age_s = max(0.0, time.time() - self._paths.sessions.stat().st_mtime)
        except OSError:
            return 0.0
        return max(0.0, self._took_s / SHARE - age_s)
