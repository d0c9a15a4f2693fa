"""What a gateway calls: ``Reporter``, and one ``ReportedSession`` for each viewer.

An event goes from the caller's thread into a queue; one thread writes what is there to the spool and syncs it, another
sends what is synced. A caller never waits for a disk or for the network, and none of their troubles reaches it. A
kill -9 in the milliseconds before an event is written costs that event: a start, and Payments has never heard of the
session; an end, and the next start of the reporter ends the session where it was last heard of.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

from payments.clock import monotonic_s, now_ms
from payments.domain.sessions import HEARTBEAT
from payments.edge.calling import Caller
from payments.edge.delivery import Delivery
from payments.edge.events import DeadLetter, Spooled
from payments.edge.log_throttle import LogThrottle
from payments.edge.sessions import ReportedSession, Sessions
from payments.edge.settings import EdgeSettings
from payments.edge.spool import Spool

__all__ = ["ReportedSession", "Reporter", "Status"]

log = logging.getLogger(__name__)

_GATHER_S = 0.02
"""How long starts and ends wait for others, to share a sync: a sync may take as long."""

_LOOK_S = (0.2, 1.0)
"""How often, at most and at least, the writer looks for heartbeats and at the disk when no viewer comes or goes."""

_SYNC_S = 1.0
"""How long a heartbeat may wait for a sync, and so for being sent."""


class Status(NamedTuple):
    """How the reporter fares, since it was started.

    Attributes:
        open: sessions that have begun and not ended.
        pending: events that are not delivered yet.
        delivered: events that Payments has taken; ``rejected``: those that it refused for good.
        dropped: heartbeats that were left out because the spool was full.
        spool_bytes: what the spool takes up on disk.
        last_error: why delivery, or the spool, does not do at present; ``None`` while all is well.
        last_delivered_ms: when Payments last took an event, milliseconds since the epoch; ``None``: not yet.
        spool_error: why the spool cannot be written at present; ``None`` while it can.
    """

    open: int
    pending: int
    delivered: int
    rejected: int
    dropped: int
    spool_bytes: int
    last_error: str | None
    last_delivered_ms: int | None
    spool_error: str | None


class Reporter:
    """Tells Payments of sessions: that they begin, go on, and end. Thread-safe; no call waits for the network."""

    def __init__(
        self,
        settings: EdgeSettings,
        clock: Callable[[], int] = now_ms,
        *,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        """``clock``: milliseconds since the Unix epoch; ``monotonic``: seconds, by a clock that is never set."""
        self._monotonic_s = monotonic
        self._inbox: deque[Spooled] = deque()
        self._sessions = Sessions(
            settings.edge_id, settings.beat_s, self._put, clock=clock, monotonic=monotonic
        )  # fmt: skip
        self._spool = Spool(settings.spool_dir, settings.spool_bytes, clock=clock, monotonic=monotonic)
        self._caller = Caller(settings)
        self._delivery = Delivery(
            self._spool, self._caller, clock=clock, monotonic=monotonic, random=random.random
        )  # fmt: skip
        self._throttle = LogThrottle(monotonic)
        self._synced_s = monotonic()
        self._deadline_s = float("inf")
        self._filled, self._sendable = threading.Event(), threading.Event()
        self._closing, self._written, self._given_up = threading.Event(), threading.Event(), threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="reporter-spool", daemon=True)
        self._sender = threading.Thread(target=self._send_on, name="reporter-delivery", daemon=True)

    def start(self) -> None:
        """Take over the spool, with what a crash has left in it, and begin to deliver. Once.

        Raises ``Misconfigured`` where another reporter has the spool. Any other trouble with it is logged, is in
        ``status``, and passes with its cause.
        """
        self._spool.open()
        self._writer.start()
        self._sender.start()

    def open(
        self,
        upstream_addr: str,
        upstream_port: int | None,
        streamer_id: str | None = None,
        evidence: Callable[[], int] | None = None,
    ) -> ReportedSession:
        """A viewer is connected to the game host at that IP: the session has begun.

        What Payments would refuse is left out, with a line in the log. ``evidence`` says until when (milliseconds since
        the epoch) the viewer is known to have been there: a heartbeat claims no more than that. It is called in the
        reporter's thread, and must not wait. ``None``: until now.
        """
        return self._sessions.begin(upstream_addr, upstream_port, streamer_id, evidence)

    def close(self, timeout_s: float) -> bool:
        """Deliver what there is, for up to ``timeout_s``; whether all was delivered. Once, and nothing comes after it.

        What is not delivered stays in the spool for the next start. Ends no session: those that are open then are ended
        by the next start, where they were last heard of.
        """
        self._deadline_s = self._monotonic_s() + timeout_s
        self._closing.set()
        self._filled.set()
        self._sendable.set()
        for thread in (self._writer, self._sender):
            if thread.ident is not None:
                thread.join(max(0.0, self._deadline_s - self._monotonic_s()))
        self._given_up.set()
        is_all = not self._inbox and not self._spool.pending
        if self._writer.ident is not None:
            self._spool.close(max(0.1, self._deadline_s - self._monotonic_s()))
        if not self._sender.is_alive():
            self._caller.close()
        return is_all

    def status(self) -> Status:
        """How it fares. Waits for nothing."""
        return Status(
            self._sessions.open,
            len(self._inbox) + self._spool.pending,
            self._spool.delivered,
            self._spool.rejected,
            self._spool.dropped,
            self._spool.size_bytes,
            self._spool.trouble or self._delivery.trouble,
            self._spool.delivered_ms,
            self._spool.trouble,
        )

    def contents(self) -> tuple[list[DeadLetter], list[Spooled]]:
        """As ``Spool.contents``, which waits for the disk."""
        return self._spool.contents()

    def revive(self, numbers: Collection[int] | None) -> int:
        """As ``Spool.revive``, which waits for the disk."""
        count = self._spool.revive(numbers)
        self._sendable.set()
        return count

    def _put(self, event: Spooled) -> None:
        if self._written.is_set():
            if self._throttle.allow("late"):
                log.error("the reporter is closed: an event of a session came too late, and is not reported")
            return
        self._inbox.append(event)
        if event.kind != HEARTBEAT:
            self._filled.set()

    def _write_on(self) -> None:
        while not self._closing.is_set():
            least_s, most_s = _LOOK_S
            next_s = self._sessions.next_s()
            if self._filled.wait(most_s if next_s is None else min(max(next_s, least_s), most_s)):
                self._closing.wait(_GATHER_S)
            self._filled.clear()
            self._guarded(self._write)
        self._guarded(self._write)
        self._written.set()
        self._sendable.set()

    def _write(self) -> None:
        if not self._closing.is_set():
            self._sessions.beat()
        events = [self._inbox.popleft() for _ in range(len(self._inbox))]
        self._spool.add(events)
        now_s = self._monotonic_s()
        is_urgent = self._closing.is_set() or any(event.kind != HEARTBEAT for event in events)
        if is_urgent or now_s - self._synced_s >= _SYNC_S:
            self._synced_s = now_s
            self._spool.sync()
            self._sendable.set()

    def _send_on(self) -> None:
        is_hurried = False
        while not self._given_up.is_set():
            if self._closing.is_set() and not is_hurried:
                is_hurried = True
                self._delivery.hurry()
            wait_s = self._guarded(self._send)
            if wait_s is not None and is_hurried:
                self._given_up.wait(min(wait_s, _LOOK_S[1]))
            elif wait_s is not None:
                self._closing.wait(wait_s)
            elif self._written.is_set():
                return
            else:
                self._sendable.wait(_LOOK_S[1])
                self._sendable.clear()

    def _send(self) -> float | None:
        return self._delivery.step(self._deadline_s - self._monotonic_s())

    def _guarded(self, turn: Callable[[], float | None]) -> float | None:
        """One turn of a thread's work, which must go on whatever happens in it."""
        try:
            return turn()
        except Exception:
            # A defect of ours that one event brings about must not end the reporting of all others.
            log.exception("a defect in the reporter")
            return _LOOK_S[1]
