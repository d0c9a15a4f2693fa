"""The spool: undelivered events, in memory and on disk. Thread-safe.

Invariants while the disk is healthy:

* Nothing is sent before it is on disk, so after a crash the spool knows everything that Payments was told.
* The disk has a consistent snapshot of memory: all pending events, and the latest event of each open session. After a
  crash, sessions without an end get one at the time of that event, because nobody knows whether they lived longer.
* Delivered events are removed with the next write. A crash before it sends them again; Payments ignores duplicates.

Events on disk and in memory stay below ``max_bytes``: near it, heartbeats are dropped (``payments.edge.dropping``),
never a start or an end. While the disk fails, events are kept in memory, sent all the same, and written when it works
again; a crash meanwhile loses what is not written.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from payments.clock import monotonic_s, now_ms
from payments.domain.sessions import END
from payments.edge.backlog import Backlog
from payments.edge.database import Damaged, Database, SpoolInUse
from payments.edge.events import DeadLetter, SpooledEvent, select_letters
from payments.edge.log_throttle import LogThrottle
from payments.errors import Misconfigured

log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""Time until a failed disk is tried again, and between checks of the files."""

_MAX_UNWRITTEN_LETTERS = 1000
"""How many dead letters are kept in memory while the disk fails."""


class Spool:
    """The events of one folder.

    Attributes:
        delivered, dead_letters, dropped: counts of events that were accepted, rejected for good, and left out.
        delivered_ms: when Payments last accepted an event, milliseconds since the epoch; ``None``: not yet.
        error: why the disk cannot be used now; ``None`` while it can.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        clock: Callable[[], int] = now_ms,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        self.delivered = self.dead_letters = self.dropped = 0
        self.delivered_ms: int | None = None
        self.error: str | None = None
        self._folder = folder
        self._clock = clock
        self._monotonic_s = monotonic
        self._lock = threading.Lock()
        self._throttle = LogThrottle(monotonic)
        self._database = Database(folder, max_bytes >> 15)
        self._backlog = Backlog(self._release)
        # Rewriting needs space for two copies.
        self._max_kept_bytes = self._drop_above_bytes = max_bytes * 7 // 16
        self._position = 0
        self._unwritten: list[SpooledEvent] = []
        self._removed: list[int] = []
        self._new_letters: deque[DeadLetter] = deque(maxlen=_MAX_UNWRITTEN_LETTERS)
        self._resent: list[int] = []
        self._has_been_open = False
        self._must_rewrite = False
        self._next_check_s = 0.0
        self._is_closed = False

    @property
    def pending(self) -> int:
        """Number of undelivered events."""
        return self._backlog.pending

    @property
    def size_bytes(self) -> int:
        """Size on disk."""
        return self._database.size_bytes

    def open(self) -> None:
        """Lock the folder, load its events, and end the sessions that a crash left open.

        Raises ``Misconfigured`` if another reporter uses it; after other errors it is tried again later.
        """
        with self._lock:
            try:
                self._use_disk()
            except SpoolInUse:
                raise Misconfigured(
                    f"PAY-E10 PAYMENTS_SPOOL_DIR: {self._folder} is in use by another reporter; give each its own"
                ) from None

    def add(self, events: Sequence[SpooledEvent]) -> None:
        """Append ``events``; the next ``sync`` writes them."""
        with self._lock:
            for event in events:
                self._backlog.add(event)
            self._unwritten += events
            self._enforce_limit()

    def sync(self) -> None:
        """Write added events to disk, so that they may be sent; if the disk fails, keep them in memory."""
        with self._lock:
            self._try_disk()

    def batch(self, max_events: int) -> list[SpooledEvent]:
        """The next events to send, in order. Settle each batch before taking the next."""
        with self._lock:
            return self._backlog.batch(max_events, self._is_sendable)

    def settle(self, sent: Sequence[SpooledEvent], done: Sequence[SpooledEvent], letters: Sequence[DeadLetter]) -> None:
        """Settle ``done``, the settled events of the batch ``sent``; those in ``letters`` become dead letters."""
        with self._lock:
            self._backlog.clear_in_flight(sent)
            if self._is_closed or not done:
                return
            self._backlog.settle(done)
            self._unwritten += [event for event in done if event.is_kept]
            self._new_letters += [letter._replace(rejected_ms=self._clock()) for letter in letters]
            self.dead_letters += len(letters)
            if accepted := len(done) - len(letters):
                self.delivered += accepted
                self.delivered_ms = self._clock()

    def contents(self) -> tuple[list[DeadLetter], list[SpooledEvent]]:
        """Dead letters and pending events, oldest first. Raises ``OSError``."""
        with self._lock:
            self._try_disk()
            pending = [event for event in self._backlog.kept() if event.is_pending]
            return [*self._database.dead_letters(self._resent), *self._new_letters], pending

    def resend(self, numbers: Collection[int] | None = None) -> int:
        """Queue dead letters (``None``: all) behind all pending events; return their number.

        Raises ``Rejected`` for an unknown number, and ``OSError``.
        """
        with self._lock:
            self._try_disk()
            letters = select_letters(self._database.dead_letters(self._resent), numbers)
            for letter in letters:
                self._backlog.add_resent(letter.event)
            self._unwritten += [letter.event for letter in letters]
            self._resent += [letter.number for letter in letters]
            self._try_disk()
            return len(letters)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write and unlock the folder; pending events stay. Returns after ``timeout_s`` even if the disk hangs."""
        if self._is_closed or not self._lock.acquire(timeout=timeout_s):
            return
        try:
            self._next_check_s = 0.0
            self._try_disk()
            if lost := sum(event.is_pending for event in self._unwritten):
                log.error("PAY-E21 %s: could not be written before the end; %d events are lost", self._folder, lost)
        finally:
            self._is_closed = True
            self._database.close()
            self._lock.release()

    def _is_sendable(self, event: SpooledEvent) -> bool:
        return self.error is not None or event.position > 0

    def _release(self, event: SpooledEvent) -> None:
        if event.position:
            self._removed.append(event.position)

    def _try_disk(self) -> None:
        try:
            self._use_disk()
        except SpoolInUse:
            self._disk_failed("it is in use by another reporter")

    def _use_disk(self) -> None:
        """Check, open and write the files as needed, unless that failed a moment ago. Raises ``SpoolInUse``."""
        now_s = self._monotonic_s()
        if self._is_closed or (self.error is not None and now_s < self._next_check_s):
            return
        try:
            if now_s >= self._next_check_s:
                self._next_check_s = now_s + _RETRY_S
                self._check_files()
            if not self._database.is_open:
                self._load()
            self._save()
        except SpoolInUse:
            raise
        except OSError as error:
            if isinstance(error, Damaged):
                # It was intact when opened, so memory has its contents.
                with suppress(OSError):
                    self._log_damage(self._database.set_aside())
            self._disk_failed(error.strerror or str(error))
            return
        if self.error is not None:
            self.error = None
            if self._throttle.clear("disk"):
                log.info("%s: can be written again, and has what was kept in memory meanwhile", self._folder)

    def _check_files(self) -> None:
        if self._database.is_open and self._database.is_replaced():
            self._database.close()
            if self._throttle.allow("lost"):
                log.error("PAY-E22 %s: files of the spool were removed; they are written again", self._folder)

    def _load(self) -> None:
        found = self._database.open()
        if found.set_aside:
            self._log_damage(found.set_aside)
        # Memory is newer than a file that this process had open before.
        self._must_rewrite = self._has_been_open or found.set_aside is not None
        self._has_been_open = True
        self._position = max([self._position, *(event.position for event in found.events)])
        self._end_open_sessions(self._backlog.prepend_new(found.events))
        self._enforce_limit()

    def _log_damage(self, path: Path) -> None:
        log.error(
            "PAY-E25 %s: a damaged spool was set aside there; all that could be read of it is in a new one. For the "
            "rest, dead letters included: sqlite3 %s .recover", path, path,
        )  # fmt: skip

    def _end_open_sessions(self, found: Sequence[SpooledEvent]) -> None:
        """End the sessions of the previous run, behind all pending events."""
        last = {event.session_id: event for event in found if event.is_kept and not event.is_resent}
        ends = [event.followed_by(END, str(uuid4())) for event in last.values() if event.kind != END]
        pending = sum(event.is_pending for event in found)
        if pending or ends:
            log.warning(
                "PAY-E26 %s: the last run left %d events to deliver and %d open sessions, ended at their last event",
                self._folder, pending, len(ends),
            )  # fmt: skip
        for end in ends:
            self._backlog.add(end)
        self._unwritten += ends

    def _save(self) -> None:
        """Write all changes in memory to disk."""
        if self._must_rewrite:
            self._unwritten, self._position = self._backlog.kept(), 0
            self._removed.clear()
        changed = [event for event in self._unwritten if event.is_kept]
        if changed or self._removed or self._new_letters or self._resent or self._must_rewrite:
            new = [event for event in changed if self._must_rewrite or not event.position]
            for event in new:
                self._position += 1
                event.position = self._position
            try:
                self._database.save(changed, self._removed, self._new_letters, self._resent, rewrite=self._must_rewrite)
            except BaseException:
                for event in new:
                    event.position = 0
                raise
            self._must_rewrite = False
            for done in (self._unwritten, self._removed, self._new_letters, self._resent):
                done.clear()
            self._database.checkpoint()

    def _enforce_limit(self) -> None:
        """Drop heartbeats to stay below the bound, as far as possible."""
        kept_bytes = self._backlog.kept_bytes
        if kept_bytes > self._drop_above_bytes:
            dropped = self._backlog.drop_heartbeats(kept_bytes - self._max_kept_bytes * 7 // 8)
            self.dropped += dropped
            # Each page has lost some events but none is empty, so only a rewrite frees space.
            self._must_rewrite |= dropped > 0
            if dropped and self._throttle.allow("dropped"):
                log.warning(
                    "PAY-E23 %s: PAYMENTS_SPOOL_BYTES is reached; %d heartbeats between others are dropped",
                    self._folder, dropped,
                )  # fmt: skip
            if self._backlog.kept_bytes > self._max_kept_bytes and self._throttle.allow("over"):
                log.error(
                    "PAY-E24 %s: events that must be kept take %d bytes, more than PAYMENTS_SPOOL_BYTES allows",
                    self._folder, self._backlog.kept_bytes,
                )  # fmt: skip
            # Do not search again at every event while nothing more can be dropped.
            self._drop_above_bytes = max(self._max_kept_bytes, self._backlog.kept_bytes * 17 // 16)
        elif kept_bytes <= self._max_kept_bytes:
            self._drop_above_bytes = self._max_kept_bytes

    def _disk_failed(self, why: str) -> None:
        self.error = f"{self._folder}: cannot be written ({why})"
        self._next_check_s = self._monotonic_s() + _RETRY_S
        # Events delivered meanwhile need no write; keeping them until the disk works would fill memory.
        self._unwritten = [event for event in self._unwritten if event.is_kept]
        if self._throttle.allow("disk"):
            log.error(
                "PAY-E20 %s: cannot be written (%s); events are kept in memory and sent from there", self._folder, why
            )
