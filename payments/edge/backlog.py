"""What is on its way to Payments, in order, and the last that is known of each session that is open. In memory only.

One thread at a time (the caller's care). Not here: files (``payments.edge.folder``), and what Payments says
(``payments.edge.delivery``).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from payments.domain.sessions import END
from payments.edge.lines import Spooled
from payments.edge.thinning import to_thin


class _Trail:
    """What is known of one session.

    Attributes:
        last: its newest event; ``safe``: the newest that a crash leaves, or ``None``.
        pending: how many are pending; ``settled_ms``: the moment of the last that is not any more, or ``None``.
    """

    __slots__ = ("last", "pending", "safe", "settled_ms")

    def __init__(self, last: Spooled) -> None:
        self.last = last
        self.safe: Spooled | None = None
        self.pending = 0
        self.settled_ms: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether Payments knows its end."""
        return self.last.kind == END and not self.last.is_pending

    def needs(self, event: Spooled) -> bool:
        """Whether ``event`` has to be kept, as what is to be sent or as the last that is known of the session.

        Until the newest event is safe, the last known one is the one before.
        """
        return event.is_pending or (not self.is_over and event in (self.last, self.safe))


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

    def add(self, event: Spooled) -> bool:
        """Put ``event`` behind the others; whether it is new: none of its session's had its ``seq``, or a later one."""
        if not self._follow(event):
            event.is_kept = event.is_pending = False
            self._forget(event)
            return False
        if event.is_pending:
            self._order.append(event)
        return True

    def put_first(self, events: Sequence[Spooled]) -> None:
        """Put ``events``, which are safe and of other sessions than those that are here, before all others."""
        behind, self._order = self._order, deque()
        for event in events:
            if self.add(event):
                self.is_safe(event)
        self._order.extend(behind)

    def is_safe(self, event: Spooled) -> None:
        """A crash leaves ``event`` from now on."""
        trail = self._trails.get(event.session_id)
        if trail is not None and event.is_kept:
            before, trail.safe = trail.safe, event
            if before is not None:
                self._let_go(before, trail)

    def batch(self, most_events: int, most_bytes: int, may_go: Callable[[Spooled], bool]) -> list[Spooled]:
        """The next ones to send, in flight from now on; up to the first that may not go."""
        self._pass_settled()
        found: list[Spooled] = []
        for event in self._order:
            if not event.is_pending:
                continue
            most_bytes -= len(event.body) + 1
            if len(found) == most_events or (found and most_bytes < 0) or not may_go(event):
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
                self._trails[event.session_id].settled_ms = event.occurred_ms
                self._take_out(event)

    def thin(self, needed_bytes: int) -> int:
        """Leave heartbeats out that take up ``needed_bytes``, as far as that goes; how many."""
        before_ms = {
            name: trail.settled_ms for name, trail in self._trails.items() if trail.settled_ms is not None
        }  # fmt: skip
        thinned = to_thin([event for event in self._order if event.is_pending], before_ms, needed_bytes)
        for event in thinned:
            self._take_out(event)
        self._order = deque(event for event in self._order if event.is_pending)
        return len(thinned)

    def first_pending(self) -> Spooled | None:
        """The one that has waited longest."""
        self._pass_settled()
        return self._order[0] if self._order else None

    def _follow(self, event: Spooled) -> bool:
        trail = self._trails.get(event.session_id)
        if trail is not None and event.seq <= trail.last.seq:
            return False
        self.kept_bytes += event.size_bytes
        if trail is None:
            trail = self._trails[event.session_id] = _Trail(event)
        before, trail.last = trail.last, event
        if event.is_pending:
            self.pending += 1
            trail.pending += 1
        else:
            trail.settled_ms = event.occurred_ms
        for each in (before, event):
            self._let_go(each, trail)
        return True

    def _take_out(self, event: Spooled) -> None:
        trail = self._trails[event.session_id]
        event.is_pending = event.in_flight = False
        self.pending -= 1
        trail.pending -= 1
        self._let_go(event, trail)

    def _let_go(self, event: Spooled, trail: _Trail) -> None:
        """Keep ``event`` no longer, unless it is still needed; nor the trail of a session that is over."""
        if not event.is_kept or trail.needs(event):
            return
        event.is_kept = False
        self.kept_bytes -= event.size_bytes
        self._forget(event)
        event.body = b""
        if trail.is_over and trail.safe is not None:
            safe, trail.safe = trail.safe, None
            self._let_go(safe, trail)
        if trail.is_over and not trail.pending:
            self._trails.pop(event.session_id, None)

    def _pass_settled(self) -> None:
        while self._order and not self._order[0].is_pending:
            self._order.popleft()
