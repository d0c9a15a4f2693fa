"""When silent sessions are closed and purged, and what that changes (rule 4.14)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from payments.domain.entries import Entry
from payments.domain.retention import CloseStale, PurgeEnded, Retention, retention_due
from payments.domain.sessions import END, EVENTS, HEARTBEAT, START
from payments.domain.state import State
from payments.domain.times import read_time
from payments.errors import Rejected
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse, at
from tests.harness import TERMS, campaign

HOUR = 3600
HOUR_MS = HOUR * 1000


@pytest.fixture
def ledger() -> LedgerDriver:
    """A session of one minute, still active."""
    ledger = LedgerDriver()
    ledger.report(START, 0, edge_id="edge-a")
    ledger.report(HEARTBEAT, 60)
    return ledger


def due(ledger: LedgerDriver, second: int, *, reap: int = HOUR, keep: int = 2 * HOUR) -> list[Retention]:
    """What is to be done at ``second``; ``reap`` and ``keep`` in seconds."""
    ledger.state.build_overview()
    return retention_due(ledger.state, at(second), reap * 1000, keep * 1000, limit=100)


def test_reap_closes_at_the_last_evidence_and_credits_nothing(ledger: LedgerDriver) -> None:
    before = ledger.session()
    assert ledger.reap() == "recorded"
    assert ledger.session() == replace(before, status="ended", ended_at_ms=at(60), end_reason="timeout")
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}


def test_reap_closes_where_the_last_event_occurred_not_where_it_was_received() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 90, occurred=60)
    ledger.reap()
    assert (ledger.session().ended_at_ms, ledger.session().last_seen_at_ms) == (at(60), at(90))


def test_entry_of_a_reap_says_whose_session_it_was(ledger: LedgerDriver) -> None:
    ledger.reap()
    assert ledger.entries[-1] == Entry(
        3, at(60 + HOUR), "session", "session_reaped", "orch-a", None, None,
        {
            "session_id": "s-1", "incarnation": 1, "edge_id": "edge-a", "streamer_id": None,
            "upstream_addr": "203.0.113.10", "upstream_port": None, "event": "reap", "delta_ms": 0,
            "interval_start": "2027-01-15T08:01:00.000Z", "interval_end": "2027-01-15T08:01:00.000Z",
        },
        ledger.session(),
    )  # fmt: skip


def test_forgotten_session_is_gone_from_the_state_and_stays_in_the_entries(ledger: LedgerDriver) -> None:
    ledger.report(END, 120)
    last = ledger.session()
    assert ledger.forget() == "recorded"
    assert ledger.state.sessions == {}
    assert (ledger.entries[-1].reason, ledger.entries[-1].session) == ("session_forgotten", last)
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI}


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("occurred", [0, 60, 119])
def test_event_of_a_forgotten_session_that_was_kept_back_bills_no_moment_again(
    kind: str, occurred: int, ledger: LedgerDriver
) -> None:
    """From an edge with an old spool, or whose clock was set back: the purged session is unknown."""
    keep = TERMS.keep_ms // 1000
    ledger.report(END, 120)
    (forget,) = due(ledger, 121 + keep, keep=keep)
    ledger.execute(forget, at(121 + keep))
    ledger.report(kind, 121 + keep, occurred=occurred)
    assert ledger.session().started_at_ms >= at(120)
    ledger.report(HEARTBEAT, 122 + keep, occurred=120)
    ledger.report(END, 123 + keep)
    intervals = [(str(each.metadata["interval_start"]), str(each.metadata["interval_end"])) for each in ledger.entries]
    billed = sorted((begin, end) for begin, end in intervals if begin != end)
    assert all(before[1] <= after[0] for before, after in pairwise(billed))


@pytest.mark.parametrize("kind", EVENTS)
def test_reap_is_late_if_the_session_has_spoken_since(kind: str, ledger: LedgerDriver) -> None:
    found = CloseStale("s-1", ledger.session().last_seen_at_ms)
    ledger.report(kind, 120)
    before, count = ledger.session(), len(ledger.entries)
    assert ledger.execute(found, at(HOUR)).kind == "late"
    assert (ledger.session(), len(ledger.entries)) == (before, count)


def test_reap_again_is_late(ledger: LedgerDriver) -> None:
    assert [ledger.reap(), ledger.reap()] == ["recorded", "late"]
    assert len(ledger.entries) == 3


def test_forget_of_an_active_session_is_late(ledger: LedgerDriver) -> None:
    before = ledger.session()
    assert ledger.forget() == "late"
    assert (ledger.session(), len(ledger.entries)) == (before, 2)


def test_forget_is_late_if_the_session_has_begun_again(ledger: LedgerDriver) -> None:
    ledger.report(END, 120)
    found = PurgeEnded("s-1", ledger.session().last_seen_at_ms)
    ledger.report(START, 180)
    ledger.report(END, 240)
    assert ledger.execute(found, at(HOUR)).kind == "late"
    assert ledger.session().incarnation == 2


@pytest.mark.parametrize("retention", [CloseStale, PurgeEnded])
def test_upkeep_of_an_unknown_session_is_not_found(
    retention: type[CloseStale] | type[PurgeEnded], ledger: LedgerDriver
) -> None:
    with pytest.raises(Rejected) as rejection:
        ledger.execute(retention("s-9", at(60)), at(HOUR))
    assert rejection.value.kind == "not-found"


def test_forget_again_is_not_found(ledger: LedgerDriver) -> None:
    ledger.report(END, 120)
    found = PurgeEnded("s-1", ledger.session().last_seen_at_ms)
    ledger.execute(found, at(HOUR))
    with pytest.raises(Rejected, match='no session "s-1" is known'):
        ledger.execute(found, at(HOUR))


def test_reaped_session_may_be_forgotten(ledger: LedgerDriver) -> None:
    assert [ledger.reap(), ledger.forget()] == ["recorded", "recorded"]
    assert ledger.state.sessions == {}


def test_heartbeat_after_a_reap_resumes_and_one_after_being_forgotten_begins(ledger: LedgerDriver) -> None:
    ledger.reap()
    ledger.report(HEARTBEAT, 7200)
    resumed = ledger.session()
    ledger.reap()
    ledger.forget()
    ledger.report(HEARTBEAT, 14_400)
    begun = ledger.session()
    assert (resumed.incarnation, resumed.started_at_ms, resumed.opened_seq) == (1, at(0), 1)
    assert (begun.incarnation, begun.started_at_ms, begun.opened_seq) == (1, at(14_400), 7)


@pytest.mark.parametrize("kind", EVENTS)
def test_forgotten_session_begins_as_an_unknown_one(kind: str, ledger: LedgerDriver) -> None:
    ledger.report(END, 120, event_id="e-1", seq=7)
    ledger.forget()
    assert ledger.report(kind, 8 * 24 * HOUR, event_id="e-1", seq=1) == "recorded"
    assert (ledger.session().incarnation, ledger.session().heartbeat_count) == (1, int(kind == HEARTBEAT))
    assert ledger.account() == TimeUse(0, 0, {})


def test_nothing_is_due_in_an_empty_state() -> None:
    state = State()
    state.build_overview()
    assert retention_due(state, at(0), close_after_ms=1, purge_after_ms=0, limit=1) == []


@pytest.mark.parametrize(
    ("silence", "is_due"), [pytest.param(HOUR, False, id="at-the-limit"), pytest.param(HOUR + 1, True, id="beyond")]
)
def test_active_session_is_due_to_be_reaped_by_its_silence(silence: int, is_due: bool, ledger: LedgerDriver) -> None:
    assert due(ledger, 60 + silence) == ([CloseStale("s-1", at(60))] if is_due else [])


@pytest.mark.parametrize(
    ("silence", "is_due"),
    [pytest.param(2 * HOUR, False, id="at-the-limit"), pytest.param(2 * HOUR + 1, True, id="beyond")],
)
def test_ended_session_is_due_to_be_forgotten_by_its_age(silence: int, is_due: bool, ledger: LedgerDriver) -> None:
    ledger.report(END, 120)
    assert due(ledger, 120 + silence) == ([PurgeEnded("s-1", at(120))] if is_due else [])


def test_silence_counts_from_the_receipt_of_the_last_event() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 1000, occurred=0)
    assert due(ledger, 1000 + HOUR) == []
    assert due(ledger, 1001 + HOUR) == [CloseStale("s-1", at(1000))]


def test_reaping_can_be_turned_off(ledger: LedgerDriver) -> None:
    assert due(ledger, 10**6, reap=0) == []


def test_ended_sessions_are_not_reaped_nor_active_ones_forgotten(ledger: LedgerDriver) -> None:
    ledger.report(END, 0, session_id="s-2")
    assert due(ledger, 10**6, reap=10**7, keep=0) == [PurgeEnded("s-2", at(0))]
    assert due(ledger, 10**6, reap=1, keep=10**7) == [CloseStale("s-1", at(60))]


def test_upkeep_is_due_oldest_session_first(ledger: LedgerDriver) -> None:
    for number, kind in enumerate([START, END, START, END], start=2):
        ledger.report(kind, number, session_id=f"s-{number}")
    found = due(ledger, 10**6)
    assert [each.session_id for each in found if isinstance(each, CloseStale)] == ["s-2", "s-4", "s-1"]
    assert [each.session_id for each in found if isinstance(each, PurgeEnded)] == ["s-3", "s-5"]


def test_session_whose_end_is_told_late_is_kept_from_then_on(ledger: LedgerDriver) -> None:
    ledger.report(END, 10 * HOUR, occurred=120)
    assert due(ledger, 10 * HOUR + 1, keep=HOUR) == []
    assert due(ledger, 11 * HOUR + 1, keep=HOUR) == [PurgeEnded("s-1", at(10 * HOUR))]


def test_session_billed_beyond_its_last_event_is_kept_until_that_is_as_old() -> None:
    """The clock stepped back ten hours; purged too early, the session would be billed for that time again."""
    ledger = LedgerDriver()
    ledger.report(START, 9 * HOUR)
    ledger.report(HEARTBEAT, 10 * HOUR)
    ledger.report(END, 0)
    assert due(ledger, 12 * HOUR) == []
    assert due(ledger, 12 * HOUR + 1) == [PurgeEnded("s-1", at(0))]


STORIES = st.lists(
    st.tuples(
        st.integers(0, HOUR) | st.integers(-HOUR, HOUR),
        st.sampled_from([*EVENTS, "retention", "retention"]),
        st.none() | st.integers(0, 3 * HOUR) | st.integers(0, 60),
        st.sampled_from(["s-1", "s-2"]),
    ),
    min_size=3,
    max_size=30,
)


@given(story=STORIES, longer=st.integers(0, HOUR), reap=st.sampled_from([0, 60, HOUR]))
@campaign(300)
def test_no_moment_is_billed_twice_however_sessions_are_reaped_and_forgotten(
    story: list[tuple[int, str, int | None, str]], longer: int, reap: int
) -> None:
    """Events come up to three hours late, an hour is believed, and sessions are kept longer by what the clock loses."""
    ledger, now = LedgerDriver(TERMS._replace(max_event_age_ms=HOUR_MS)), 0
    keep = HOUR - sum(step for step, *_ in story if step < 0) + longer
    for step, told, late, session_id in story:
        now += step
        if told == "retention":
            outcomes = [ledger.execute(each, at(now)).kind for each in due(ledger, now, reap=reap, keep=keep)]
            assert set(outcomes) <= {"recorded"}
        else:
            ledger.report(told, now, None if late is None else now - late, session_id=session_id)
            ledger.account(session_id)
    for session_id in ("s-1", "s-2"):
        billed = sorted(paid(ledger.entries, session_id))
        assert all(end_ms <= start_ms for (_, end_ms), (start_ms, _) in pairwise(billed))


def paid(entries: list[Entry], session_id: str) -> list[tuple[int, int]]:
    """Credited intervals of the session; if one expired in part, its later part."""
    found = []
    for entry in entries:
        if entry.reason == "session_time" and entry.metadata["session_id"] == session_id:
            end_ms, length_ms = read_time(str(entry.metadata["interval_end"])), entry.metadata["delta_ms"]
            assert isinstance(length_ms, int)
            found.append((end_ms - length_ms, end_ms))
    return found
