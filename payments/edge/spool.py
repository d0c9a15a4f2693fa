"""The spool: what is on its way to Payments, in memory and, before it is sent, on disk. Thread-safe.

What always holds while the disk does:

* Nothing is sent before it is on disk, so after a crash the spool knows all that Payments was told.
* What is on disk is what was in memory at one moment: everything that is on its way, and the last that is known of each
  session that is open. After a crash, sessions without an end get one at the moment of that event: they were alive
  then, and later nobody knows.
* What is delivered is taken out with what is written next. What a crash leaves of it is sent again, and is nothing new
  to Payments.

The events on disk, with what is written beside them on the way there, stay below ``most_bytes``, and so does what is
held in memory: near that, heartbeats are dropped (``payments.edge.dropping``), never a start or an end. Where the disk
does not do, events are in memory only, are sent all the same, and are written when it does again; a crash in between
costs what was not written.
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
from payments.edge.events import DeadLetter, Spooled, chosen
from payments.edge.log_throttle import LogThrottle
from payments.errors import Misconfigured

log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""How long after a failure the disk is tried again, and how often it is looked at."""

_MOST_WAITING = 1000
"""So many dead letters wait in memory while the disk does not do."""


class Spool:
    """One folder, and what belongs into it.

    Attributes:
        delivered, rejected: events that Payments has taken, and refused for good; ``dropped``: that were left out.
        delivered_ms: when Payments last took one, milliseconds since the epoch; ``None``: not yet.
        trouble: why the disk does not do; ``None`` while it does.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        *,
        clock: Callable[[], int] = now_ms,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        self.delivered = self.rejected = self.dropped = 0
        self.delivered_ms: int | None = None
        self.trouble: str | None = None
        self._path = folder
        self._clock = clock
        self._monotonic_s = monotonic
        self._guard = threading.Lock()
        self._throttle = LogThrottle(monotonic)
        self._database = Database(folder, most_bytes >> 15)
        self._backlog = Backlog(self._forget)
        # While the file is written anew, there are two of it.
        self._most_kept_bytes = self._thin_above_bytes = most_bytes * 7 // 16
        self._position = 0
        self._unwritten: list[Spooled] = []
        self._gone: list[int] = []
        self._dead_letters: deque[DeadLetter] = deque(maxlen=_MOST_WAITING)
        self._revived: list[int] = []
        self._has_been_open = False
        self._is_anew = False
        self._look_at_s = 0.0
        self._is_closed = False

    @property
    def pending(self) -> int:
        """How many events are neither delivered nor refused."""
        return self._backlog.pending

    @property
    def size_bytes(self) -> int:
        """What it takes up on disk."""
        return self._database.size_bytes

    def open(self) -> None:
        """Take over the folder and what is in it, and end the sessions that a crash has left open.

        Raises ``Misconfigured`` where another reporter has it; a folder that cannot be used is tried again later.
        """
        with self._guard:
            try:
                self._use_disk()
            except SpoolInUse:
                raise Misconfigured(
                    f"PAYMENTS_SPOOL_DIR: {self._path} is in use by another reporter; give each one its own folder"
                ) from None

    def add(self, events: Sequence[Spooled]) -> None:
        """Put ``events`` behind all others; they are written by the next ``sync``."""
        with self._guard:
            for event in events:
                self._backlog.add(event)
            self._unwritten += events
            self._thin()

    def sync(self) -> None:
        """Make durable what was added, from when on it may be sent; or keep it in memory until the disk takes it."""
        with self._guard:
            self._try_disk()

    def batch(self, most_events: int) -> list[Spooled]:
        """What is to be sent next, in order. One batch at a time."""
        with self._guard:
            return self._backlog.batch(most_events, self._may_go)

    def settle(self, sent: Sequence[Spooled], done: Sequence[Spooled], refused: Sequence[DeadLetter]) -> None:
        """What became of a batch: of ``sent`` those that are ``done`` with, some of which were ``refused``.

        The others will be in the next batch.
        """
        with self._guard:
            self._backlog.land(sent)
            if self._is_closed or not done:
                return
            self._backlog.settle(done)
            self._unwritten += [event for event in done if event.is_kept]
            self._dead_letters += [letter._replace(rejected_ms=self._clock()) for letter in refused]
            self.rejected += len(refused)
            if taken := len(done) - len(refused):
                self.delivered += taken
                self.delivered_ms = self._clock()

    def contents(self) -> tuple[list[DeadLetter], list[Spooled]]:
        """The dead letters and what is pending, oldest first. Raises ``OSError``."""
        with self._guard:
            self._try_disk()
            pending = [event for event in self._backlog.kept() if event.is_pending]
            return [*self._database.dead_letters(self._revived), *self._dead_letters], pending

    def revive(self, numbers: Collection[int] | None = None) -> int:
        """Send dead letters again, behind all others, those that are ``chosen``; how many. Raises ``OSError`` too."""
        with self._guard:
            self._try_disk()
            letters = chosen(self._database.dead_letters(self._revived), numbers)
            for letter in letters:
                self._backlog.add_again(letter.event)
            self._unwritten += [letter.event for letter in letters]
            self._revived += [letter.number for letter in letters]
            self._try_disk()
            return len(letters)

    def close(self, timeout_s: float = 5.0) -> None:
        """Let go of the folder; what is pending stays in it. Returns after ``timeout_s`` even if the disk hangs."""
        if self._is_closed or not self._guard.acquire(timeout=timeout_s):
            return
        try:
            self._look_at_s = 0.0
            self._try_disk()
            if lost := sum(event.is_pending for event in self._unwritten):
                log.error("%s: could not be written up to the end; %d events are lost", self._path, lost)
        finally:
            self._is_closed = True
            self._database.close()
            self._guard.release()

    def _may_go(self, event: Spooled) -> bool:
        return self.trouble is not None or event.position > 0

    def _forget(self, event: Spooled) -> None:
        if event.position:
            self._gone.append(event.position)

    def _try_disk(self) -> None:
        try:
            self._use_disk()
        except SpoolInUse:
            self._has_failed("it is in use by another reporter")

    def _use_disk(self) -> None:
        """Do all that is to be done on disk, unless that failed a moment ago. Raises ``SpoolInUse``."""
        now_s = self._monotonic_s()
        if self._is_closed or (self.trouble is not None and now_s < self._look_at_s):
            return
        try:
            if now_s >= self._look_at_s:
                self._look_at_s = now_s + _RETRY_S
                self._look()
            if not self._database.is_open:
                self._take_over()
            self._save()
        except SpoolInUse:
            raise
        except OSError as error:
            if isinstance(error, Damaged):
                # It was sound when it was taken over, so memory has what is in it.
                with suppress(OSError):
                    self._tell_of_damage(self._database.set_aside())
            self._has_failed(error.strerror or str(error))
            return
        if self.trouble is not None:
            self.trouble = None
            if self._throttle.clear("disk"):
                log.info("%s: can be written again, and has what was kept in memory meanwhile", self._path)

    def _look(self) -> None:
        if self._database.is_open and self._database.is_lost():
            self._database.close()
            if self._throttle.allow("lost"):
                log.error("%s: files of the spool were taken away; they are written anew", self._path)

    def _take_over(self) -> None:
        found = self._database.open()
        if found.set_aside:
            self._tell_of_damage(found.set_aside)
        # What this process knows goes for more than what is in a file that it had before.
        self._is_anew = self._has_been_open or found.set_aside is not None
        self._has_been_open = True
        self._position = max([self._position, *(event.position for event in found.events)])
        self._end_all(self._backlog.put_first(found.events))
        self._thin()

    def _tell_of_damage(self, path: Path) -> None:
        log.error(
            "%s: the spool was damaged and is called that now; a new one has all of it that could be read. The rest, "
            "and dead letters: sqlite3 %s .recover", path, path,
        )  # fmt: skip

    def _end_all(self, found: Sequence[Spooled]) -> None:
        """End the sessions of the reporter before this one, behind all that is pending."""
        last = {event.session_id: event for event in found if event.is_kept and not event.is_resent}
        ends = [event.followed_by(END, str(uuid4())) for event in last.values() if event.kind != END]
        pending = sum(event.is_pending for event in found)
        if pending or ends:
            log.warning(
                "%s: the last run has left %d events to deliver and %d sessions open, which end where they were last "
                "heard of", self._path, pending, len(ends),
            )  # fmt: skip
        for end in ends:
            self._backlog.add(end)
        self._unwritten += ends

    def _save(self) -> None:
        """Let the disk have what memory has."""
        if self._is_anew:
            self._unwritten, self._position = self._backlog.kept(), 0
            self._gone.clear()
        changed = [event for event in self._unwritten if event.is_kept]
        if changed or self._gone or self._dead_letters or self._revived or self._is_anew:
            new = [event for event in changed if self._is_anew or not event.position]
            for event in new:
                self._position += 1
                event.position = self._position
            try:
                self._database.save(changed, self._gone, self._dead_letters, self._revived, alone=self._is_anew)
            except BaseException:
                for event in new:
                    event.position = 0
                raise
            self._is_anew = False
            for done in (self._unwritten, self._gone, self._dead_letters, self._revived):
                done.clear()
            self._database.tidy()

    def _thin(self) -> None:
        """Keep below the bound, as far as heartbeats allow that."""
        kept_bytes = self._backlog.kept_bytes
        if kept_bytes > self._thin_above_bytes:
            dropped = self._backlog.drop_heartbeats(kept_bytes - self._most_kept_bytes * 7 // 8)
            self.dropped += dropped
            # Of every page some events are gone, and so none of them has become free.
            self._is_anew |= dropped > 0
            if dropped and self._throttle.allow("dropped"):
                log.warning(
                    "%s: PAYMENTS_SPOOL_BYTES is reached; %d heartbeats between others are left out",
                    self._path, dropped,
                )  # fmt: skip
            if self._backlog.kept_bytes > self._most_kept_bytes and self._throttle.allow("over"):
                log.error(
                    "%s: what must not be left out takes up %d bytes, too much for PAYMENTS_SPOOL_BYTES; it is kept "
                    "all the same", self._path, self._backlog.kept_bytes,
                )  # fmt: skip
            # As long as that is so, looking for more at every event would be in vain.
            self._thin_above_bytes = max(self._most_kept_bytes, self._backlog.kept_bytes * 17 // 16)
        elif kept_bytes <= self._most_kept_bytes:
            self._thin_above_bytes = self._most_kept_bytes

    def _has_failed(self, why: str) -> None:
        self.trouble = f"{self._path}: cannot be written ({why})"
        self._look_at_s = self._monotonic_s() + _RETRY_S
        # What is delivered meanwhile is not written any more; waiting for the disk, it would fill up memory.
        self._unwritten = [event for event in self._unwritten if event.is_kept]
        if self._throttle.allow("disk"):
            log.error("%s: cannot be written (%s); events are kept in memory, and sent, until it can", self._path, why)
