"""An imported session is billed from its last billed moment on, and no moment twice."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.money import accrue
from payments.domain.sessions import END, HEARTBEAT, SessionEvent
from payments.domain.times import format_time, parse_time
from tests.harness import campaign, state_of
from tests.importing.import_fixture import NOW_MS, ImportFixture, copy_data, edit

MINUTE_MS = 60_000


class Case(NamedTuple):
    """A session of livepeer-ops, and its events here.

    Attributes:
        unbilled_us, silent_us: time from its last billing, and from its last event, to ``NOW_MS``. After a clock was
            set back, it may seem to have been seen before it was billed.
        pauses_ms: times between the import and its events here.
    """

    unbilled_us: int
    silent_us: int
    pauses_ms: list[int]
    max_event_age_s: int


CASES = st.builds(
    lambda silent_us, more_us, pauses_ms, max_event_age_s: Case(
        max(0, silent_us + more_us), silent_us, pauses_ms, max_event_age_s
    ),
    st.integers(0, 3_000_000_000),
    st.one_of(st.integers(0, 200_000_000_000), st.integers(-60_000_000, 0)),
    st.lists(st.integers(0, 100_000), min_size=1, max_size=4),
    st.sampled_from([0, 60, 86_400]),
)


def _text(ago_us: int) -> str:
    second, us = divmod(NOW_MS * 1000 - ago_us, 1_000_000)
    return format_time(second * 1000).replace(".000Z", f".{us:06d}Z")


@given(CASES)
@campaign(60)
def test_every_moment_since_the_last_billed_one_is_billed_once(case: Case) -> None:
    """Whenever it was last billed there, whatever age of events is accepted here, and however many events come."""
    with TemporaryDirectory() as folder:
        env = ImportFixture(Path(folder), SESSION_MAX_EVENT_AGE_SECONDS=case.max_event_age_s)
        theirs = copy_data(Path(folder))
        billed_at = _text(case.unbilled_us)
        times = {"last_billed_at": billed_at, "last_seen_at": _text(case.silent_us)}
        edit(theirs, "sessions.json", lambda sessions: sessions["s-open"].update(times))
        env.take_over(theirs)
        for number, pause_ms in enumerate(case.pauses_ms, start=1):
            env.clock.now_ms += pause_ms
            kind = END if number == len(case.pauses_ms) else HEARTBEAT
            env.store.execute([SessionEvent("s-open", kind, env.clock())])
            env.take_over(theirs)
        session = state_of(env.store).sessions["s-open"]
    first_ms = -(-(NOW_MS * 1000 - case.unbilled_us) // 1000)
    assert first_ms - parse_time(billed_at) in (0, 1)
    assert session.last_billed_at_ms == env.clock.now_ms
    assert (session.billed_ms, session.unbilled_ms) == (env.clock.now_ms - first_ms, {})
    assert session.billed_wei == accrue(10**14, session.billed_ms, 0)[0]
    assert session.incarnation == 1


def test_session_shows_when_it_was_last_seen_there(tmp_path: Path) -> None:
    """So it is neither stale nor reaped because it was last billed long ago."""
    env = ImportFixture(tmp_path)
    env.take_over()
    session = state_of(env.store).sessions["s-open"]
    assert session.last_seen_at_ms == parse_time("2026-01-31T11:59:45.124Z")
    assert session.status_at(NOW_MS, 120_000) == "active"
    assert env.store.due(NOW_MS, 10 * MINUTE_MS, 60 * MINUTE_MS, limit=10) == []


def test_gap_longer_than_the_maximum_is_not_credited_and_was_announced(tmp_path: Path) -> None:
    """livepeer-ops only knows the last heartbeat, not the gaps before it, and nothing is guessed."""
    env = ImportFixture(tmp_path, SESSION_MAX_GAP_SECONDS=60)
    plan = env.take_over()
    env.store.execute([SessionEvent("s-open", HEARTBEAT, NOW_MS)])
    session = state_of(env.store).sessions["s-open"]
    assert (session.billed_ms, list(session.unbilled_ms)) == (0, ["gap"])
    assert "will find a gap" in next(item.detail for item in plan.items if item.id == "s-open")


@pytest.mark.parametrize("kind", [HEARTBEAT, END])
def test_session_that_is_nobodys_there_and_here_earns_nothing(tmp_path: Path, kind: str) -> None:
    env = ImportFixture(tmp_path)
    env.take_over()
    env.store.execute([SessionEvent("s-nobody", kind, NOW_MS)])
    session = state_of(env.store).sessions["s-nobody"]
    assert (session.billed_wei, list(session.unbilled_ms)) == (0, ["unattributed"])


def test_items_are_json(tmp_path: Path) -> None:
    for item in ImportFixture(tmp_path).plan().items:
        assert json.loads(json.dumps(item.as_json()))["what"] == item.what
