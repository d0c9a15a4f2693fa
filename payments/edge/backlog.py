"""Undelivered events in order, and the latest event of each open session. In memory only.

Not thread-safe; callers must serialise. Not here: the disk (``payments.edge.database``) and sending
(``payments.edge.delivery``).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from payments.domain.sessions import END
from payments.edge.dropping import heartbeats_to_drop
from payments.edge.events import SpooledEvent


class _SessionState:
    """What is known of one session.

    Attributes:
        latest: its newest event.
        settled_ms: time of its last event that is no longer pending; ``None``: all are pending.
    """

    __slots__ = ("latest", "settled_ms")

    def __init__(self, latest: SpooledEvent) -> None:
        self.latest = latest
        self.settled_ms: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the end of the session is delivered."""
        return self.latest.kind == END and not self.latest.is_pending


class Backlog:
    """All events that the spool keeps.

    Attributes:
        pending: number of pending events.
        kept_bytes: size of all kept events on disk.
    """

    def __init__(self, release: Callable[[SpooledEvent], None]) -> None:
        """``release`` is called with each event that need not be kept any longer."""
        self.pending = 0
        self.kept_bytes = 0
        self._release = release
        self._order: deque[SpooledEvent] = deque()
        self._sessions: dict[str, _SessionState] = {}

    def add(self, event: SpooledEvent) -> None:
        """Append ``event``. It becomes the latest of its session, unless a newer one is known."""
        self._append(event)
        if event.is_resent:
            return
        session = self._sessions.setdefault(event.session_id, _SessionState(event))
        before = session.latest
        if event.seq > before.seq:
            session.latest = event
        if not event.is_pending:
            session.settled_ms = event.occurred_ms
        for each in (before, event):
            self._release_if_unneeded(each)

    def add_resent(self, event: SpooledEvent) -> None:
        """Append a former dead letter. It never becomes the latest event of its session."""
        event.is_resent = True
        self._append(event)

    def _append(self, event: SpooledEvent) -> None:
        self.kept_bytes += event.size_bytes
        if event.is_pending:
            self.pending += 1
            self._order.append(event)

    def prepend_new(self, events: Sequence[SpooledEvent]) -> list[SpooledEvent]:
        """Put the events that are not here yet before all others; return them."""
        known = {event.event_id for event in self.kept()}
        new = [event for event in events if event.event_id not in known]
        behind, self._order = self._order, deque()
        for event in new:
            self.add(event)
        self._order.extend(behind)
        return new

    def kept(self) -> list[SpooledEvent]:
        """All kept events: first the settled ones, then the pending ones in order."""
        settled = [session.latest for session in self._sessions.values() if not session.latest.is_pending]
        return settled + [event for event in self._order if event.is_pending]

    def batch(self, max_events: int, is_sendable: Callable[[SpooledEvent], bool]) -> list[SpooledEvent]:
        """The next events to send, now marked as in flight. Stops at the first that is not sendable."""
        while self._order and not self._order[0].is_pending:
            self._order.popleft()
        batch: list[SpooledEvent] = []
        for event in self._order:
            if not event.is_pending:
                continue
            if len(batch) == max_events or not is_sendable(event):
                break
            event.in_flight = True
            batch.append(event)
        return batch

    def clear_in_flight(self, events: Iterable[SpooledEvent]) -> None:
        """Mark ``events`` as no longer in flight, whatever the result was."""
        for event in events:
            event.in_flight = False

    def settle(self, events: Iterable[SpooledEvent]) -> None:
        """Mark ``events`` as no longer pending: delivered, or dead letters."""
        for event in events:
            if event.is_pending:
                if session := self._sessions.get(event.session_id):
                    session.settled_ms = event.occurred_ms
                self._no_longer_pending(event)

    def drop_heartbeats(self, needed_bytes: int) -> int:
        """Drop heartbeats that take up ``needed_bytes``, or as many as allowed; return their number."""
        before_ms = {
            name: session.settled_ms for name, session in self._sessions.items() if session.settled_ms is not None
        }  # fmt: skip
        dropped = heartbeats_to_drop([event for event in self._order if event.is_pending], before_ms, needed_bytes)
        for event in dropped:
            self._no_longer_pending(event)
        self._order = deque(event for event in self._order if event.is_pending)
        return len(dropped)

    def _no_longer_pending(self, event: SpooledEvent) -> None:
        event.is_pending = event.in_flight = False
        self.pending -= 1
        self._release_if_unneeded(event)

    def _release_if_unneeded(self, event: SpooledEvent) -> None:
        """Stop keeping ``event`` unless it is still needed, and forget its session if that is over."""
        session = self._sessions.get(event.session_id)
        if session is not None and session.is_over:
            del self._sessions[event.session_id]
            session = None
        if event.is_kept and not event.is_pending and (session is None or session.latest is not event):
            event.is_kept = False
            self.kept_bytes -= event.size_bytes
            self._release(event)
