"""What is on its way to Payments, in order, and the last that is known of each session that is open. In memory only.

One thread at a time (the caller's care). Not here: the disk (``payments.edge.database``), and what Payments says
(``payments.edge.delivery``).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from payments.domain.sessions import END
from payments.edge.dropping import heartbeats_to_drop
from payments.edge.events import Spooled


class _Trail:
    """What is known of one session.

    Attributes:
        last: its newest event; ``settled_ms``: the moment of the last that is not pending any more, or ``None``.
    """

    __slots__ = ("last", "settled_ms")

    def __init__(self, last: Spooled) -> None:
        self.last = last
        self.settled_ms: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether Payments knows its end."""
        return self.last.kind == END and not self.last.is_pending


class Backlog:
    """The events in their order.

    Attributes:
        pending: how many are pending; ``kept_bytes``: what those that are kept take up.
    """

    def __init__(self, forget: Callable[[Spooled], None]) -> None:
        """``forget`` is told of each event that is kept no longer."""
        self.pending = 0
        self.kept_bytes = 0
        self._forget = forget
        self._order: deque[Spooled] = deque()
        self._trails: dict[str, _Trail] = {}

    def add(self, event: Spooled) -> None:
        """Put ``event`` behind the others: the newest of its session, unless a newer one is here already."""
        self._append(event)
        if event.is_resent:
            return
        trail = self._trails.setdefault(event.session_id, _Trail(event))
        before = trail.last
        if event.seq > before.seq:
            trail.last = event
        if not event.is_pending:
            trail.settled_ms = event.occurred_ms
        for each in (before, event):
            self._let_go(each)

    def add_again(self, event: Spooled) -> None:
        """Put ``event``, which was a dead letter, behind the others; it says nothing new of its session."""
        event.is_resent = True
        self._append(event)

    def _append(self, event: Spooled) -> None:
        self.kept_bytes += event.size_bytes
        if event.is_pending:
            self.pending += 1
            self._order.append(event)

    def put_first(self, events: Sequence[Spooled]) -> list[Spooled]:
        """Put those of ``events`` before all others that are not here yet, and return them."""
        known = {event.event_id for event in self.kept()}
        found = [event for event in events if event.event_id not in known]
        behind, self._order = self._order, deque()
        for event in found:
            self.add(event)
        self._order.extend(behind)
        return found

    def kept(self) -> list[Spooled]:
        """All that are kept, in their order."""
        settled = [trail.last for trail in self._trails.values() if not trail.last.is_pending]
        return settled + [event for event in self._order if event.is_pending]

    def batch(self, most_events: int, may_go: Callable[[Spooled], bool]) -> list[Spooled]:
        """The next ones to send, in flight from now on; up to the first that may not go."""
        while self._order and not self._order[0].is_pending:
            self._order.popleft()
        found: list[Spooled] = []
        for event in self._order:
            if not event.is_pending:
                continue
            if len(found) == most_events or not may_go(event):
                break
            event.in_flight = True
            found.append(event)
        return found

    def land(self, events: Iterable[Spooled]) -> None:
        """``events`` are in flight no longer; what became of them is for ``settle`` to say."""
        for event in events:
            event.in_flight = False

    def settle(self, events: Iterable[Spooled]) -> None:
        """``events`` are delivered, or refused for good: they are pending no longer."""
        for event in events:
            if event.is_pending:
                if trail := self._trails.get(event.session_id):
                    trail.settled_ms = event.occurred_ms
                self._take_out(event)

    def drop_heartbeats(self, needed_bytes: int) -> int:
        """Leave heartbeats out that take up ``needed_bytes``, as far as that goes; how many."""
        before_ms = {
            name: trail.settled_ms for name, trail in self._trails.items() if trail.settled_ms is not None
        }  # fmt: skip
        dropped = heartbeats_to_drop([event for event in self._order if event.is_pending], before_ms, needed_bytes)
        for event in dropped:
            self._take_out(event)
        self._order = deque(event for event in self._order if event.is_pending)
        return len(dropped)

    def _take_out(self, event: Spooled) -> None:
        event.is_pending = event.in_flight = False
        self.pending -= 1
        self._let_go(event)

    def _let_go(self, event: Spooled) -> None:
        """Keep ``event`` no longer, unless it is still needed; nor the trail of a session that is over."""
        trail = self._trails.get(event.session_id)
        if trail is not None and trail.is_over:
            del self._trails[event.session_id]
            trail = None
        if event.is_kept and not event.is_pending and (trail is None or trail.last is not event):
            event.is_kept = False
            self.kept_bytes -= event.size_bytes
            self._forget(event)
