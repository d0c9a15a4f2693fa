"""Which heartbeats go when the spool is full. Pure.

A heartbeat in between carries no time that a later event of its session does not: Payments bills from the last billed
event. With PAYMENTS_SESSION_MAX_GAP_SECONDS set at Payments it may carry some all the same, for silence longer than
that is not credited. So heartbeats are dropped evenly, over all sessions and all of the time: first go those whose
absence leaves the shortest silence, which is every second one, then every second one of the rest, and so on; and no
more than needed. Never a start or an end, nor the last event of a session.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from payments.domain.sessions import HEARTBEAT
from payments.edge.events import Spooled

_NONE = -1


def heartbeats_to_drop(pending: Sequence[Spooled], before_ms: Mapping[str, int], needed_bytes: int) -> list[Spooled]:
    """Heartbeats among ``pending``, all that there are in their order, that take up ``needed_bytes``, or all there are.

    ``before_ms``: by session, the moment of its last event before these. The newest heartbeat of a session goes only
    when no others are left, and only where a later event has its time.
    """
    chain = _Chain(pending, before_ms)
    heap = [
        (chain.newest[event.session_id] == index, chain.silence_ms(index), index)
        for index, event in enumerate(pending)
        if event.kind == HEARTBEAT and not event.in_flight and chain.later[index] != _NONE
    ]
    heapify(heap)
    dropped: list[Spooled] = []
    while heap and needed_bytes > 0:
        is_newest, silence_ms, index = heappop(heap)
        if (longer_ms := chain.silence_ms(index)) > silence_ms:
            # One beside it has gone in the meantime.
            heappush(heap, (is_newest, longer_ms, index))
            continue
        chain.take_out(index)
        dropped.append(pending[index])
        needed_bytes -= pending[index].size_bytes
    return dropped


class _Chain:
    """For each event, by its index, the one before and the one after it in its session."""

    def __init__(self, pending: Sequence[Spooled], before_ms: Mapping[str, int]) -> None:
        self._pending = pending
        self._before_ms = before_ms
        self._earlier = [_NONE] * len(pending)
        self.later = [_NONE] * len(pending)
        self.newest: dict[str, int] = {}
        last: dict[str, int] = {}
        for index, event in enumerate(pending):
            earlier = self._earlier[index] = last.get(event.session_id, _NONE)
            if earlier != _NONE:
                self.later[earlier] = index
            last[event.session_id] = index
            if event.kind == HEARTBEAT:
                self.newest[event.session_id] = index

    def silence_ms(self, index: int) -> int:
        """How long the session would be silent without it; there must be a later one."""
        earlier = self._earlier[index]
        if earlier != _NONE:
            since_ms = self._pending[earlier].occurred_ms
        else:
            event = self._pending[index]
            since_ms = self._before_ms.get(event.session_id, event.occurred_ms)
        return self._pending[self.later[index]].occurred_ms - since_ms

    def take_out(self, index: int) -> None:
        earlier, later = self._earlier[index], self.later[index]
        self._earlier[later] = earlier
        if earlier != _NONE:
            self.later[earlier] = later
