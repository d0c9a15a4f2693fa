"""Which heartbeats to drop when the spool is full. Pure.

Payments bills from the last billed event, so dropping a heartbeat loses no time if a later event of the session is
kept. The exception: with PAYMENTS_SESSION_MAX_GAP_SECONDS set at Payments, longer silence is not credited. So
heartbeats are dropped evenly over sessions and time: first the one that leaves the shortest silence. That drops every
second heartbeat, then every second of the rest, and so on, but no more than needed. A start, an end, or the last event
of a session is never dropped.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from payments.domain.sessions import HEARTBEAT
from payments.edge.events import SpooledEvent

_NONE = -1


def heartbeats_to_drop(
    pending: Sequence[SpooledEvent], before_ms: Mapping[str, int], needed_bytes: int
) -> list[SpooledEvent]:
    """Choose heartbeats that take up ``needed_bytes``, or all that may be dropped if they are fewer.

    ``pending``: all pending events, in order. ``before_ms``: by session, the time of its last event before them. The
    newest heartbeat of a session is dropped only when no others are left, and only if a later event follows it.
    """
    chain = _Chain(pending, before_ms)
    heap = [
        (chain.newest[event.session_id] == index, chain.silence_ms(index), index)
        for index, event in enumerate(pending)
        if event.kind == HEARTBEAT and not event.in_flight and chain.later[index] != _NONE
    ]
    heapify(heap)
    dropped: list[SpooledEvent] = []
    while heap and needed_bytes > 0:
        is_newest, silence_ms, index = heappop(heap)
        if (longer_ms := chain.silence_ms(index)) > silence_ms:
            # A neighbour was dropped meanwhile, so the silence has grown.
            heappush(heap, (is_newest, longer_ms, index))
            continue
        chain.remove(index)
        dropped.append(pending[index])
        needed_bytes -= pending[index].size_bytes
    return dropped


class _Chain:
    """Links each event, by index, to the events before and after it in its session."""

    def __init__(self, pending: Sequence[SpooledEvent], before_ms: Mapping[str, int]) -> None:
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
        """How long the session would be silent without this event, which must not be its last."""
        earlier = self._earlier[index]
        if earlier != _NONE:
            since_ms = self._pending[earlier].occurred_ms
        else:
            event = self._pending[index]
            since_ms = self._before_ms.get(event.session_id, event.occurred_ms)
        return self._pending[self.later[index]].occurred_ms - since_ms

    def remove(self, index: int) -> None:
        earlier, later = self._earlier[index], self.later[index]
        self._earlier[later] = earlier
        if earlier != _NONE:
            self.later[earlier] = later
