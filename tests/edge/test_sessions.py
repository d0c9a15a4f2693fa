"""Ids, numbers, times and phases of a session's events, whatever the clock does or a gateway passes."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import count, pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.events import SpooledEvent
from payments.edge.sessions import ReportedSession, Sessions
from payments.events import load_event
from tests.edge.conftest import EdgeLog
from tests.harness import HOST_A, NOON_MS, Clock, campaign


class SessionFixture:
    """Sessions whose two clocks a test sets separately. Attributes: ``events``: their events."""

    def __init__(self, heartbeat_s: float = 15, new_id: Callable[[], UUID] | None = None) -> None:
        self.wall, self.passed = Clock(), Clock(0)
        self.events: list[SpooledEvent] = []
        options: dict[str, Any] = {"new_id": new_id} if new_id else {}
        self.sessions = Sessions(
            "edge-a",
            heartbeat_s,
            self.events.append,
            clock=self.wall,
            monotonic=lambda: self.passed() / 1000,
            **options,
        )

    def begin(self, **said: Any) -> ReportedSession:
        values = {"upstream_addr": HOST_A, "upstream_port": 8888, "streamer_id": None, "last_seen_ms": None, **said}
        return self.sessions.begin(*values.values())

    def pass_ms(self, passed_ms: int) -> None:
        self.wall.now_ms += passed_ms
        self.passed.now_ms += passed_ms

    def moments(self) -> list[int]:
        return [event.occurred_ms - NOON_MS for event in self.events]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(event.body()) for event in self.events]


def early() -> Callable[[], UUID]:
    """Ids of sessions whose heartbeats come early."""
    numbers = count()
    return lambda: UUID(int=next(numbers) << 12, version=4)


def test_ids_are_random_uuids_and_events_are_numbered_within_their_session() -> None:
    fixture = SessionFixture()
    one, two = fixture.begin(), fixture.begin()
    one.end()
    two.end()
    assert {UUID(each.session_id).version for each in (one, two)} == {4}
    assert [(event.session_id, event.kind, event.seq) for event in fixture.events] == [
        (one.session_id, START, 1), (two.session_id, START, 1), (one.session_id, END, 2), (two.session_id, END, 2),
    ]  # fmt: skip
    assert len({body["event_id"] for body in fixture.bodies()}) == 4


def test_an_end_is_reported_once_and_nothing_follows_it() -> None:
    fixture = SessionFixture()
    session = fixture.begin()
    session.end()
    session.end()
    session.end(NOON_MS)
    fixture.pass_ms(60_000)
    fixture.sessions.put_due_heartbeats()
    assert [event.kind for event in fixture.events] == [START, END]
    assert fixture.sessions.open == 0
    assert fixture.sessions.until_next_s() is None


def test_heartbeats_come_at_their_interval_and_each_session_keeps_its_own_phase() -> None:
    fixture = SessionFixture()
    for _ in range(200):
        fixture.begin()
    for _ in range(20 * 150):
        fixture.pass_ms(100)
        fixture.sessions.put_due_heartbeats()
    beats: dict[str, list[int]] = defaultdict(list)
    for event in fixture.events:
        if event.kind == HEARTBEAT:
            beats[event.session_id].append(event.occurred_ms - NOON_MS)
    assert len(beats) == 200
    for moments in beats.values():
        assert all(14_800 <= later - earlier <= 15_200 for earlier, later in pairwise(moments))
        assert moments[0] <= 15_000
        assert len(moments) in (20, 21)
    for moment in (0, -1):
        by_second = Counter(moments[moment] % 15_000 // 1000 for moments in beats.values())
        assert len(by_second) == 15
        assert max(by_second.values()) < 40


def test_heartbeats_that_were_slept_through_are_not_made_up_for() -> None:
    fixture = SessionFixture(new_id=early())
    fixture.begin()
    fixture.pass_ms(10 * 15_000 + 7_000)
    fixture.sessions.put_due_heartbeats()
    fixture.sessions.put_due_heartbeats()
    assert [event.kind for event in fixture.events] == [START, HEARTBEAT]
    next_s = fixture.sessions.until_next_s()
    assert next_s is not None
    assert 7.9 < next_s < 8.1


def test_a_clock_that_is_set_while_a_viewer_watches_changes_no_duration() -> None:
    fixture = SessionFixture()
    session = fixture.begin()
    fixture.pass_ms(5_000)
    fixture.wall.now_ms += 3_600_000
    fixture.pass_ms(5_000)
    fixture.wall.now_ms -= 2 * 3_600_000
    fixture.pass_ms(5_000)
    session.end()
    assert fixture.moments() == [0, 15_000]


@campaign(200)
@given(st.lists(st.tuples(st.integers(-10_000_000, 10_000_000), st.integers(0, 40_000), st.booleans()), max_size=20))
def test_moments_of_a_session_never_go_back_whatever_the_clocks_do(steps: list[tuple[int, int, bool]]) -> None:
    fixture = SessionFixture()
    known: list[int] = [NOON_MS]
    session = fixture.begin(last_seen_ms=lambda: known[-1])
    for step_ms, passed_ms, is_heard in steps:
        fixture.wall.now_ms += step_ms
        fixture.pass_ms(passed_ms)
        if is_heard:
            known.append(fixture.wall.now_ms)
        fixture.sessions.put_due_heartbeats()
    session.end()
    moments = fixture.moments()
    assert moments == sorted(moments)
    assert moments[-1] == fixture.passed.now_ms


def test_a_heartbeat_claims_no_more_than_is_known(said: EdgeLog) -> None:
    known = [NOON_MS]
    fixture = SessionFixture(new_id=early())
    session = fixture.begin(last_seen_ms=lambda: known[0])
    fixture.pass_ms(20_000)
    known[0] = fixture.wall.now_ms - 12_000
    fixture.sessions.put_due_heartbeats()
    fixture.pass_ms(15_000)
    fixture.sessions.put_due_heartbeats()
    session.end(known[0])
    assert fixture.moments() == [0, 8_000, 8_000, 8_000]
    assert said.lines == []


def test_an_end_in_the_past_is_never_before_the_last_event_nor_one_to_come_after_now() -> None:
    fixture = SessionFixture(new_id=early())
    past, future = fixture.begin(), fixture.begin()
    fixture.pass_ms(15_000)
    fixture.sessions.put_due_heartbeats()
    past.end(NOON_MS + 1_000)
    future.end(NOON_MS + 99_000)
    assert fixture.moments() == [0, 0, 15_000, 15_000, 15_000, 15_000]


def test_a_last_seen_that_fails_ends_no_other_heartbeats_and_claims_nothing(said: EdgeLog) -> None:
    fixture = SessionFixture()

    def fail() -> int:
        raise RuntimeError("the gateway's defect")

    broken = fixture.begin(last_seen_ms=fail)
    sound = fixture.begin()
    fixture.pass_ms(15_000)
    fixture.sessions.put_due_heartbeats()
    beats = {event.session_id: event.occurred_ms - NOON_MS for event in fixture.events if event.kind == HEARTBEAT}
    assert beats == {broken.session_id: 0, sound.session_id: 15_000}
    assert said.lines == [("ERROR", "asking a session until when it is known to live failed")]


def test_a_streamer_is_reported_from_the_next_event_on() -> None:
    fixture = SessionFixture()
    session = fixture.begin()
    session.set_streamer("streamer-1")
    fixture.pass_ms(15_000)
    fixture.sessions.put_due_heartbeats()
    session.end()
    assert [body.get("streamer_id") for body in fixture.bodies()] == [None, "streamer-1", "streamer-1"]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        pytest.param("streamer_id", "x" * 129, None, id="streamer-too-long"),
        pytest.param("streamer_id", "bell\x07", None, id="streamer-control"),
        pytest.param("streamer_id", "\ud800", None, id="streamer-surrogate"),
        pytest.param("streamer_id", 7, None, id="streamer-number"),
        pytest.param("streamer_id", "x" * 128, "x" * 128, id="streamer-longest"),
        pytest.param("streamer_id", "", "", id="streamer-empty"),
        pytest.param("upstream_port", 0, None, id="port-zero"),
        pytest.param("upstream_port", 65536, None, id="port-too-high"),
        pytest.param("upstream_port", True, None, id="port-true"),
        pytest.param("upstream_port", None, None, id="port-unknown"),
        pytest.param("upstream_addr", "game-host", None, id="address-name"),
        pytest.param("upstream_addr", "", None, id="address-empty"),
        pytest.param("upstream_addr", "::ffff:203.0.113.10", HOST_A, id="address-mapped"),
        pytest.param("upstream_addr", "fe80::1%eth0", "fe80::1", id="address-with-a-zone"),
    ],
)
def test_invalid_value_is_left_out_and_logged_once(name: str, value: Any, kept: Any, said: EdgeLog) -> None:
    fixture = SessionFixture()
    session = fixture.begin(**{name: value})
    fixture.pass_ms(15_000)
    fixture.sessions.put_due_heartbeats()
    session.end()
    for body in fixture.bodies():
        assert body.get(name) == kept
        load_event(body, NOON_MS)
    lines = [line for _, line in said.lines]
    assert len(lines) == (kept is None and value is not None)
    assert all(line.startswith(f"{name} ") and "is left out of the events of a session: " in line for line in lines)
    assert all(line.isprintable() and len(line) < 300 for line in lines)


def test_a_streamer_that_payments_would_refuse_leaves_the_one_before() -> None:
    fixture = SessionFixture()
    session = fixture.begin(streamer_id="streamer-1")
    session.set_streamer("x" * 129)
    session.end()
    assert [body["streamer_id"] for body in fixture.bodies()] == ["streamer-1", "streamer-1"]
