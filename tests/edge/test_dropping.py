"""Which heartbeats are dropped when the spool is full."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.dropping import heartbeats_to_drop
from payments.edge.events import SessionLabels, SpooledEvent
from tests.harness import NOON_MS, campaign

EVERY_S = 15


def session(
    name: str, beats: int, *, ended: bool = False, begun: bool = True, every_s: int = EVERY_S
) -> list[SpooledEvent]:
    """A session with so many heartbeats."""
    kinds = [START] * begun + [HEARTBEAT] * beats + [END] * ended
    said = SessionLabels(name, "edge-a", "203.0.113.10", 8888, None)
    return [
        SpooledEvent(said, kind, seq, NOON_MS + seq * every_s * 1000, f"{name}-{seq}") for seq, kind in enumerate(kinds)
    ]


def merged(*sessions: Sequence[SpooledEvent]) -> list[SpooledEvent]:
    return sorted((event for each in sessions for event in each), key=lambda event: event.occurred_ms)


def left(pending: Sequence[SpooledEvent], count: int, before_ms: dict[str, int] | None = None) -> list[str]:
    """Ids of the events that are left after dropping ``count`` heartbeats of equal size."""
    gone = set(map(id, heartbeats_to_drop(pending, before_ms or {}, count * pending[-1].size_bytes)))
    return [f"{event.session_id}-{event.seq}" for event in pending if id(event) not in gone]


def test_every_second_one_goes_first_and_the_oldest_before_the_others() -> None:
    one = session("a", 9)
    assert left(one, 2) == ["a-0", "a-2", "a-4", "a-5", "a-6", "a-7", "a-8", "a-9"]
    assert left(one, 4) == ["a-0", "a-2", "a-4", "a-6", "a-8", "a-9"]
    assert left(one, 6) == ["a-0", "a-4", "a-6", "a-9"]
    assert left(one, 99) == ["a-0", "a-9"]


def test_all_sessions_are_thinned_alike() -> None:
    pending = merged(session("a", 4), session("b", 4))
    assert left(pending, 2) == ["a-0", "b-0", "a-2", "b-2", "a-3", "b-3", "a-4", "b-4"]


def test_the_newest_heartbeat_goes_last_and_only_behind_an_end() -> None:
    pending = merged(session("a", 3, ended=True), session("b", 3))
    assert left(pending, 4) == ["a-0", "b-0", "a-3", "b-3", "a-4"]
    assert left(pending, 99) == ["a-0", "b-0", "b-3", "a-4"]


def test_what_was_delivered_before_counts_as_the_moment_before() -> None:
    """Without it, dropping the first heartbeat would seem to leave no silence."""
    pending = session("a", 4, begun=False)
    delivered = {"a": NOON_MS - 5 * EVERY_S * 1000}
    assert left(pending, 1) == ["a-1", "a-2", "a-3"]
    assert left(pending, 1, delivered) == ["a-0", "a-2", "a-3"]


def test_event_in_flight_stays() -> None:
    pending = session("a", 4)
    for event in pending[:3]:
        event.in_flight = True
    assert left(pending, 99) == ["a-0", "a-1", "a-2", "a-4"]


@pytest.mark.parametrize("needed_bytes", [0, -1])
def test_nothing_goes_when_nothing_is_needed(needed_bytes: int) -> None:
    assert heartbeats_to_drop(session("a", 9), {}, needed_bytes) == []


@campaign(200)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans(), st.integers(1, 40)), min_size=1, max_size=5),
    st.integers(0, 60),
)
def test_only_heartbeats_with_a_later_event_go_no_more_than_needed_and_evenly(
    shapes: list[tuple[int, bool, bool, int]], count: int
) -> None:
    sessions = [
        session(f"s{number}", beats, ended=ended, begun=begun, every_s=every_s)
        for number, (beats, ended, begun, every_s) in enumerate(shapes)
    ]
    pending = merged(*sessions)
    needed_bytes = count * 400
    dropped = heartbeats_to_drop(pending, {}, needed_bytes)
    assert all(event.kind == HEARTBEAT for event in dropped)
    assert len(set(map(id, dropped))) == len(dropped)
    assert sum(event.size_bytes for event in dropped[:-1]) < max(needed_bytes, 1)
    gone = set(map(id, dropped))
    remaining = [[event for event in each if id(event) not in gone] for each in sessions]
    assert [each[-1:] for each in remaining] == [each[-1:] for each in sessions]
    spare = [
        after.occurred_ms - before.occurred_ms
        for each in remaining
        for before, event, after in zip(each, each[1:], each[2:], strict=False)
        if event.kind == HEARTBEAT and any(later.kind == HEARTBEAT for later in each[each.index(event) + 1 :])
    ]
    made = [
        after.occurred_ms - before.occurred_ms
        for each in remaining
        for before, after in pairwise(each)
        if after.seq - before.seq > 1 and any(later.kind == HEARTBEAT for later in each[each.index(after) :])
    ]
    # No session became silent for longer than another would have.
    assert max(made, default=0) <= min(spare, default=10**12)
    if sum(event.size_bytes for event in dropped) < needed_bytes:
        assert spare == []
