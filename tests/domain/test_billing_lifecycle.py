"""How a session starts, continues, ends and restarts: rules 4.5 to 4.7, 4.14 and 4.15.

These include all cases that the public alternative gets wrong: a repeated ``end``, a heartbeat after the
``end``, a ``start`` after the ``end``, an address that changes before the last event.
"""

from itertools import product

import pytest

from payments.domain.sessions import END, EVENTS, HEARTBEAT, START
from payments.errors import Rejected
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse, at
from tests.harness import HOST_A, HOST_B

OTHER_ADDRESS = [pytest.param(HOST_A, id="same-address"), pytest.param(HOST_B, id="other-address")]


@pytest.fixture
def ledger() -> LedgerDriver:
    """An empty ledger: 0.001 ETH a minute, no maximum gap, events accepted for a day."""
    return LedgerDriver()


@pytest.fixture
def ended(ledger: LedgerDriver) -> LedgerDriver:
    """An ended session of one minute, with its credit."""
    ledger.report(START, 0)
    ledger.report(END, 60)
    return ledger


@pytest.fixture
def reaped(ledger: LedgerDriver) -> LedgerDriver:
    """A session of one minute, closed by the reaper."""
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.reap()
    return ledger


@pytest.mark.parametrize(("kind", "status"), [(START, "active"), (HEARTBEAT, "active"), (END, "ended")])
def test_first_event_of_a_session_begins_it_and_bills_nothing(ledger: LedgerDriver, kind: str, status: str) -> None:
    assert ledger.report(kind, 0) == "recorded"
    session = ledger.session()
    assert (session.incarnation, session.status, session.started_at_ms) == (1, status, at(0))
    assert (session.ended_at_ms, session.end_reason) == ((at(0), "end") if kind == END else (None, None))
    assert session.heartbeat_count == (kind == HEARTBEAT)
    assert ledger.account() == TimeUse(0, 0, {})
    assert ledger.credits_wei() == []


@pytest.mark.parametrize("kind", EVENTS)
def test_first_event_of_a_session_needs_an_address(ledger: LedgerDriver, kind: str) -> None:
    with pytest.raises(Rejected) as rejection:
        ledger.report(kind, 0, upstream_addr=None)
    assert (rejection.value.kind, list(rejection.value.fields)) == ("invalid", ["upstream_addr"])
    assert ledger.entries == []


def test_start_of_an_active_session_counts_as_a_heartbeat(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    assert ledger.report(START, 60) == "recorded"
    session = ledger.session()
    assert (session.incarnation, session.status, session.started_at_ms) == (1, "active", at(0))
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}


def test_only_heartbeats_are_counted_as_such(ledger: LedgerDriver) -> None:
    for second, kind in enumerate([START, HEARTBEAT, START, HEARTBEAT, HEARTBEAT, END, HEARTBEAT]):
        ledger.report(kind, second)
    assert ledger.session().heartbeat_count == 3


def test_end_bills_and_closes(ended: LedgerDriver) -> None:
    session = ended.session()
    assert (session.status, session.ended_at_ms, session.end_reason) == ("ended", at(60), "end")
    assert ended.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})
    assert ended.earned_wei() == {"orch-a": MINUTE_WEI}


@pytest.mark.parametrize("host", OTHER_ADDRESS)
def test_end_again_is_a_duplicate_and_changes_nothing(ended: LedgerDriver, host: str) -> None:
    before, count = ended.session(), len(ended.entries)
    assert [ended.report(END, second, upstream_addr=host) for second in (60, 61, 3600)] == ["duplicate"] * 3
    assert (ended.session(), len(ended.entries)) == (before, count)


@pytest.mark.parametrize("host", OTHER_ADDRESS)
def test_heartbeat_after_end_is_late_and_changes_nothing(ended: LedgerDriver, host: str) -> None:
    before, count = ended.session(), len(ended.entries)
    assert [ended.report(HEARTBEAT, second, upstream_addr=host) for second in (60, 61, 3600)] == ["late"] * 3
    assert (ended.session(), len(ended.entries)) == (before, count)


@pytest.mark.parametrize("host", OTHER_ADDRESS)
def test_start_after_end_is_a_new_incarnation_that_bills_from_then_on(ended: LedgerDriver, host: str) -> None:
    before = ended.session()
    assert ended.report(START, 600, upstream_addr=host) == "recorded"
    session = ended.session()
    assert (session.incarnation, session.status, session.upstream_addr) == (2, "active", host)
    assert (session.started_at_ms, session.ended_at_ms, session.end_reason) == (at(600), None, None)
    assert (session.billed_ms, session.billed_wei, session.remainder, session.heartbeat_count) == (0, 0, 0, 0)
    assert ended.earned_wei() == {"orch-a": MINUTE_WEI}
    assert ended.entries[1].session == before


def test_new_incarnation_knows_what_the_old_one_was_told(ended: LedgerDriver) -> None:
    ended.report(START, 600, upstream_addr=None)
    assert (ended.session().upstream_addr, ended.session().orchestrator_id) == (HOST_A, "orch-a")


def test_new_incarnation_does_not_inherit_wei_that_did_not_fill_up() -> None:
    ledger = LedgerDriver()
    ledger.terms = ledger.terms._replace(rate_wei_per_minute=1)
    for begin in (0, 100):
        ledger.report(START, begin)
        ledger.report(END, begin + 59)
    assert ledger.credits_wei() == [0, 0]


@pytest.mark.parametrize("occurred", [0, 30, 60], ids=["at-the-first-start", "within", "at-the-end"])
def test_start_after_end_that_claims_an_earlier_time_bills_no_moment_again(ended: LedgerDriver, occurred: int) -> None:
    ended.report(START, 600, occurred)
    assert ended.session().started_at_ms == at(60)
    ended.report(END, 660, 120)
    assert ended.earned_wei() == {"orch-a": 2 * MINUTE_WEI}
    assert ended.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})


def test_start_after_end_with_the_clock_stepped_back_begins_where_the_last_one_ended(ended: LedgerDriver) -> None:
    ended.report(START, -600)
    ended.report(HEARTBEAT, -540)
    assert ended.session().started_at_ms == at(60)
    ended.report(END, 120)
    assert ended.earned_wei() == {"orch-a": 2 * MINUTE_WEI}


def test_heartbeat_after_a_reap_resumes_the_session(reaped: LedgerDriver) -> None:
    assert reaped.report(HEARTBEAT, 600) == "recorded"
    session = reaped.session()
    assert (session.incarnation, session.status, session.ended_at_ms, session.end_reason) == (1, "active", None, None)
    assert reaped.account() == TimeUse(10 * MINUTE_MS, 10 * MINUTE_MS, {})
    assert reaped.earned_wei() == {"orch-a": 10 * MINUTE_WEI}


def test_heartbeat_after_a_reap_is_held_to_the_maximum_gap(reaped: LedgerDriver) -> None:
    reaped.terms = reaped.terms._replace(max_gap_ms=MINUTE_MS)
    reaped.report(HEARTBEAT, 600)
    reaped.report(HEARTBEAT, 660)
    assert reaped.account() == TimeUse(11 * MINUTE_MS, 2 * MINUTE_MS, {"gap": 9 * MINUTE_MS})


def test_end_after_a_reap_bills_and_closes(reaped: LedgerDriver) -> None:
    assert reaped.report(END, 120) == "recorded"
    assert (reaped.session().end_reason, reaped.session().ended_at_ms) == ("end", at(120))
    assert reaped.earned_wei() == {"orch-a": 2 * MINUTE_WEI}
    assert [reaped.report(END, 180), reaped.report(HEARTBEAT, 180)] == ["duplicate", "late"]


def test_start_after_a_reap_is_a_new_incarnation(reaped: LedgerDriver) -> None:
    assert reaped.report(START, 600) == "recorded"
    assert (reaped.session().incarnation, reaped.session().started_at_ms) == (2, at(600))
    reaped.report(END, 660)
    assert reaped.earned_wei() == {"orch-a": 2 * MINUTE_WEI}


def test_event_that_was_counted_before_the_reap_stays_a_duplicate(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60, event_id="e-1", seq=1)
    ledger.reap()
    assert ledger.report(HEARTBEAT, 90, event_id="e-1", seq=1) == "duplicate"
    assert ledger.report(HEARTBEAT, 90, seq=1) == "late"
    assert ledger.session().end_reason == "timeout"


def test_sessions_do_not_touch_each_other(ended: LedgerDriver) -> None:
    ended.report(START, 0, session_id="s-2", upstream_addr=HOST_B)
    before = ended.session("s-2")
    ended.report(START, 600)
    ended.report(END, 660)
    assert ended.session("s-2") == before


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_any_events_a_minute_apart_earn_what_counting_minutes_says(length: int) -> None:
    """All sequences of ``length`` events, each on either host."""
    for story in product(product(EVENTS, (HOST_A, HOST_B)), repeat=length):
        ledger = LedgerDriver()
        outcomes = [ledger.report(kind, 60 * minute, upstream_addr=host) for minute, (kind, host) in enumerate(story)]
        assert (outcomes, ledger.earned_wei()) == tally(story), story
        ledger.account()


def tally(story: tuple[tuple[str, str], ...]) -> tuple[list[str], dict[str, int]]:
    """Outcomes and earnings by a simple model of the rules: who earns the minute that ends with this event?"""
    earners = {HOST_A: "orch-a", HOST_B: "orch-b"}
    outcomes: list[str] = []
    earned: dict[str, int] = {}
    known, owner = False, None
    for kind, host in story:
        if known and owner is None and kind != START:
            outcomes.append("duplicate" if kind == END else "late")
            continue
        outcomes.append("recorded")
        if owner is not None:
            earned[owner] = earned.get(owner, 0) + MINUTE_WEI
        known, owner = True, None if kind == END else earners[host]
    return outcomes, earned
