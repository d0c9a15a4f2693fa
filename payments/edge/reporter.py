"""What a gateway calls: ``Reporter``, and one ``ReportedSession`` for each viewer.

The caller's thread puts an event into a queue. One thread writes the queue to the spool and syncs it; another sends
what is synced. A caller never waits for the disk or the network and never sees their errors. A kill -9 in the
milliseconds before an event is written loses that event: without its start, Payments never hears of a session; without
its end, the reporter's next start ends the session at its last known moment.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple

from payments.clock import monotonic_s, now_ms
from payments.domain.sessions import HEARTBEAT
from payments.edge.client import PaymentsClient
from payments.edge.delivery import Delivery
from payments.edge.events import DeadLetter, SpooledEvent
from payments.edge.log_throttle import LogThrottle
from payments.edge.sessions import ReportedSession, Sessions
from payments.edge.settings import EdgeSettings
from payments.edge.spool import Spool

__all__ = ["ReportedSession", "Reporter", "Status"]

log = logging.getLogger(__name__)

_GATHER_S = 0.02
"""How long starts and ends wait for others, to share a sync, which may take as long itself."""

_LOOK_S = (0.2, 1.0)
"""Shortest and longest time between checks for due heartbeats and of the disk while no viewer comes or goes."""

_SYNC_S = 1.0
"""How long a heartbeat may wait to be synced; it is sent after that."""


class Status(NamedTuple):
    """State of the reporter, and counts since its start.

    Attributes:
        open: open sessions.
        pending: undelivered events.
        delivered: events that Payments accepted.
        dead_letters: events that Payments rejected for good.
        dropped: heartbeats dropped because the spool was full.
        spool_bytes: size of the spool on disk.
        last_error: why the spool or delivery fails now; ``None`` while both work.
        last_delivered_ms: when Payments last accepted an event, milliseconds since the epoch; ``None``: not yet.
        spool_error: why the spool cannot be written now; ``None`` while it can.
    """

    open: int
    pending: int
    delivered: int
    dead_letters: int
    dropped: int
    spool_bytes: int
    last_error: str | None
    last_delivered_ms: int | None
    spool_error: str | None


class Reporter:
    """Reports sessions to Payments: start, heartbeats, end. Thread-safe; only ``close`` waits for the network."""

    def __init__(
        self,
        settings: EdgeSettings,
        clock: Callable[[], int] = now_ms,
        *,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        """``clock``: milliseconds since the Unix epoch; ``monotonic``: seconds of a clock that is never adjusted."""
        self._monotonic_s = monotonic
        self._inbox: deque[SpooledEvent] = deque()
        self._sessions = Sessions(
            settings.edge_id, settings.heartbeat_interval_s, self._put, clock=clock, monotonic=monotonic
        )  # fmt: skip
        self._spool = Spool(settings.spool_dir, settings.spool_bytes, clock=clock, monotonic=monotonic)
        self._client = PaymentsClient(settings)
        self._delivery = Delivery(
            self._spool, self._client, clock=clock, monotonic=monotonic, random=random.random
        )  # fmt: skip
        self._throttle = LogThrottle(monotonic)
        self._synced_s = monotonic()
        self._deadline_s = float("inf")
        self._filled, self._sendable = threading.Event(), threading.Event()
        self._closing, self._written, self._given_up = threading.Event(), threading.Event(), threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="reporter-spool", daemon=True)
        self._sender = threading.Thread(target=self._send_on, name="reporter-delivery", daemon=True)

    def start(self) -> None:
        """Open the spool, with what a crash left in it, and start to deliver. Call it once.

        Raises ``Misconfigured`` if another reporter has the spool. Other errors of the spool are logged and shown in
        ``status``; the reporter retries until they are gone.
        """
        self._spool.open()
        self._writer.start()
        self._sender.start()

    def open(
        self,
        upstream_addr: str,
        upstream_port: int | None,
        streamer_id: str | None = None,
        last_seen_ms: Callable[[], int] | None = None,
    ) -> ReportedSession:
        """Start the session of a viewer who is now connected to the game host at that IP.

        Values that Payments would reject are left out and logged. ``last_seen_ms`` returns when (milliseconds since the
        epoch) the viewer was last known to be connected; a heartbeat claims time up to then only. It is called in the
        reporter's thread and must not block. ``None``: heartbeats claim time up to now.
        """
        return self._sessions.begin(upstream_addr, upstream_port, streamer_id, last_seen_ms)

    def close(self, timeout_s: float) -> bool:
        """Deliver pending events for up to ``timeout_s``; return whether all are delivered. Call it once, last.

        Undelivered events stay in the spool for the next start. Sessions that are still open are ended by the next
        start, at their last known moment.
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
            self._client.close()
        return is_all

    def status(self) -> Status:
        """Never blocks."""
        return Status(
            self._sessions.open,
            len(self._inbox) + self._spool.pending,
            self._spool.delivered,
            self._spool.dead_letters,
            self._spool.dropped,
            self._spool.size_bytes,
            self._spool.error or self._delivery.error,
            self._spool.delivered_ms,
            self._spool.error,
        )

    def contents(self) -> tuple[list[DeadLetter], list[SpooledEvent]]:
        """See ``Spool.contents``. Waits for the disk."""
        return self._spool.contents()

    def resend(self, numbers: Collection[int] | None) -> int:
        """See ``Spool.resend``. Waits for the disk."""
        count = self._spool.resend(numbers)
        self._sendable.set()
        return count

    def _put(self, event: SpooledEvent) -> None:
        if self._written.is_set():
            if self._throttle.allow("late"):
                log.error("PAY-E27 the reporter is closed: an event of a session came too late, and is not reported")
            return
        self._inbox.append(event)
        if event.kind != HEARTBEAT:
            self._filled.set()

    def _write_on(self) -> None:
        while not self._closing.is_set():
            least_s, most_s = _LOOK_S
            next_s = self._sessions.until_next_s()
            if self._filled.wait(most_s if next_s is None else min(max(next_s, least_s), most_s)):
                self._closing.wait(_GATHER_S)
            self._filled.clear()
            self._guarded(self._write)
        self._guarded(self._write)
        self._written.set()
        self._sendable.set()

    def _write(self) -> None:
        if not self._closing.is_set():
            self._sessions.put_due_heartbeats()
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
        """Do one turn of a thread's work. The thread survives any exception."""
        try:
            return turn()
        except Exception:
            # A bug that one event triggers must not stop the reporting of all others.
            log.exception("PAY-E27 a defect in the reporter")
            return _LOOK_S[1]
