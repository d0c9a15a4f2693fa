"""The spool: what is on its way to Payments, in memory and, before it is sent, in a folder. Thread-safe.

What always holds while the disk does:

* Nothing is sent before it is on disk, so after a crash the spool knows all that Payments was told.
* The last event of a session that is on disk stays there until a later one is, or until its end is delivered. After a
  crash, sessions without an end get one at the moment of that event: they were alive then, and later nobody knows.
* The cursor moves behind the answer, so what it covers need not be sent again; what was sent and is not covered is sent
  again, and is nothing new to Payments.

The files with events stay below ``most_bytes``, and so does what is held in memory: near that, heartbeats are thinned
(``payments.edge.thinning``), never a start or an end. Where the disk does not do, events are in memory only, are sent
all the same, and are written when it does again; a crash in between costs what was not written.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

from payments.clock import monotonic_s, now_ms
from payments.disk import Disk
from payments.domain.sessions import END
from payments.edge.backlog import Backlog
from payments.edge.folder import SpoolFolder, Taken
from payments.edge.lines import Spooled, following
from payments.edge.rejects import Reject
from payments.edge.seldom import Seldom
from payments.errors import Misconfigured

log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""How long after a failure the disk is tried again, and how often it is looked at."""


class Spool:
    """One folder, and what belongs into it.

    Attributes:
        delivered, rejected: events that Payments has taken, and refused for good; ``thinned``: that were left out.
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
        disk: Disk | None = None,
    ) -> None:
        self.delivered = self.rejected = self.thinned = 0
        self.delivered_ms: int | None = None
        self.trouble: str | None = None
        self._path = folder
        self._clock = clock
        self._monotonic_s = monotonic
        self._guard = threading.Lock()
        self._seldom = Seldom(monotonic)
        self._folder = SpoolFolder(disk or Disk(), folder, most_bytes)
        self._backlog = Backlog(self._folder.forget)
        # With no more than this in files of which nothing could be taken out, they would still have room.
        self._most_kept_bytes = self._thin_above_bytes = self._folder.usable_bytes * 7 // 8
        self._unwritten: list[Spooled] = []
        self._unsynced: list[Spooled] = []
        self._look_at_s = 0.0
        self._is_closed = False

    @property
    def pending(self) -> int:
        """How many events are neither delivered nor refused."""
        return self._backlog.pending

    @property
    def size_bytes(self) -> int:
        """What the events take up on disk."""
        return self._folder.size_bytes

    def open(self) -> None:
        """Take over the folder and what is in it, and end the sessions that a crash has left open.

        Raises ``Misconfigured`` where another reporter has it; a folder that cannot be used is tried again later.
        """
        with self._guard:
            try:
                self._use_disk()
            except Taken:
                raise Misconfigured(
                    f"PAYMENTS_SPOOL_DIR: {self._path} is in use by another reporter; give each one its own folder"
                ) from None

    def add(self, events: Sequence[Spooled]) -> None:
        """Write ``events`` behind all others, or keep them in memory until the disk takes them."""
        with self._guard:
            for event in events:
                self._backlog.add(event)
            self._unwritten += events
            self._thin()
            self._try_disk()

    def sync(self) -> None:
        """Make durable what was added: from then on it may be sent."""
        with self._guard:
            if self.trouble is None:
                try:
                    self._folder.sync()
                except OSError as error:
                    self._has_failed(_said(error))
                    return
                for event in self._unsynced:
                    self._backlog.is_safe(event)
                self._unsynced.clear()

    def batch(self, most_events: int, most_bytes: int) -> list[Spooled]:
        """What is to be sent next, in order: up to so many events, and bytes of a JSON array. One batch at a time."""
        with self._guard:
            return self._backlog.batch(most_events, most_bytes, self._may_go)

    def settle(self, sent: Sequence[Spooled], done: Sequence[Spooled], refused: Sequence[Reject]) -> None:
        """What became of a batch: of ``sent`` those that are ``done`` with, some of which were ``refused``.

        The others will be in the next batch.
        """
        with self._guard:
            self._backlog.land(sent)
            if self._is_closed or not done:
                return
            self._backlog.settle(done)
            self.rejected += len(refused)
            if taken := len(done) - len(refused):
                self.delivered += taken
                self.delivered_ms = self._clock()
            self._folder.note(refused, self._clock())
            self._folder.note_settled(self._settled())
            if self.trouble is None:
                try:
                    self._folder.catch_up()
                except OSError as error:
                    self._has_failed(_said(error))

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
            try:
                self._folder.close(is_empty=not self._backlog.kept_bytes)
            except OSError as error:
                self._has_failed(_said(error))
            finally:
                self._guard.release()

    def _may_go(self, event: Spooled) -> bool:
        return self.trouble is not None or 0 < event.position <= self._folder.durable

    def _try_disk(self) -> None:
        try:
            self._use_disk()
        except Taken:
            self._has_failed("it is in use by another reporter")

    def _use_disk(self) -> None:
        """Do all that is to be done on disk, unless that failed a moment ago. Raises ``Taken``."""
        now_s = self._monotonic_s()
        if self._is_closed or (self.trouble is not None and now_s < self._look_at_s):
            return
        try:
            if not self._folder.is_ours:
                self._take_over()
            if now_s >= self._look_at_s:
                self._look_at_s = now_s + _RETRY_S
                if self._folder.has_lost_files() and self._seldom.is_due("lost"):
                    log.error("%s: files of the spool were taken away; they are written anew", self._path)
                self._folder.catch_up()
            self._folder.make_room(sum(event.size_bytes for event in self._unwritten if event.is_kept))
            while self._unwritten:
                count = self._folder.write(self._unwritten)
                self._unsynced += self._unwritten[:count]
                del self._unwritten[:count]
        except OSError as error:
            self._has_failed(_said(error))
            return
        if self.trouble is not None:
            self.trouble = None
            if self._seldom.is_over("disk"):
                log.info("%s: can be written again, and has what was kept in memory meanwhile", self._path)

    def _take_over(self) -> None:
        found = self._folder.take_over()
        self._backlog.put_first(found.events)
        self._end_all([event for event in found.events if event.is_kept])
        if found.set_aside:
            log.warning(
                "%s: %d lines are no events, perhaps torn by a crash; they are in rejects.jsonl now", self._path,
                len(found.set_aside),
            )  # fmt: skip
        self._folder.note(found.set_aside, self._clock())
        self._thin()

    def _end_all(self, found: Sequence[Spooled]) -> None:
        """End the sessions of the reporter before this one, behind all that is pending."""
        last = {event.session_id: event for event in found}
        ends = [following(event, END, str(uuid4())) for event in last.values() if event.kind != END]
        pending = sum(event.is_pending for event in found)
        if pending or ends:
            log.warning(
                "%s: the last run has left %d events to deliver and %d sessions open, which end where they were last "
                "heard of", self._path, pending, len(ends),
            )  # fmt: skip
        for end in ends:
            self._backlog.add(end)
        self._unwritten += ends

    def _settled(self) -> int:
        """The position up to which nothing need be sent again."""
        first = self._backlog.first_pending()
        return first.position - 1 if first is not None and first.position else self._folder.position

    def _thin(self) -> None:
        """Keep below the bound, as far as heartbeats allow that."""
        kept_bytes = self._backlog.kept_bytes
        if kept_bytes > self._thin_above_bytes:
            thinned = self._backlog.thin(kept_bytes - self._most_kept_bytes * 7 // 8)
            self.thinned += thinned
            if thinned and self._seldom.is_due("thinned"):
                log.warning(
                    "%s: PAYMENTS_SPOOL_BYTES is reached; %d heartbeats between others are left out",
                    self._path, thinned,
                )  # fmt: skip
            if self._backlog.kept_bytes > self._most_kept_bytes and self._seldom.is_due("over"):
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
        self._unsynced = [event for event in self._unsynced if event.is_kept]
        if self._seldom.is_due("disk"):
            log.error("%s: cannot be written (%s); events are kept in memory, and sent, until it can", self._path, why)


def _said(error: OSError) -> str:
    return error.strerror or str(error)
