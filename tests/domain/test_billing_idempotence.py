"""Repeated and late events change nothing: rule 4.10."""

from typing import Any

import pytest
from msgspec.structs import replace

from payments.domain.sessions import END, EVENTS, HEARTBEAT, START
from payments.errors import Rejected
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse, at
from tests.harness import HOST_B, event


@pytest.fixture
def ledger() -> LedgerDriver:
    """A session that has been active for a minute; its last event is the heartbeat ``e-1``, seq 5."""
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60, event_id="e-1", seq=5)
    return ledger


@pytest.mark.parametrize("kind", EVENTS)
def test_last_event_again_is_a_duplicate_with_the_same_answer(kind: str) -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    said = event(kind=kind, at_ms=at(60), event_id="e-1", seq=1, edge_id="edge-a", occurred_at_ms=at(50))
    first = ledger.tell(said)
    count = len(ledger.entries)
    again = [ledger.tell(replace(said, received_at_ms=at(second))) for second in (60, 90, 9000)]
    assert [outcome.kind for outcome in (first, *again)] == ["recorded", "duplicate", "duplicate", "duplicate"]
    assert all(outcome.session == first.session for outcome in again)
    assert len(ledger.entries) == count


def test_first_event_again_is_a_duplicate() -> None:
    ledger = LedgerDriver()
    assert [ledger.report(START, second, event_id="e-1") for second in (0, 60)] == ["recorded", "duplicate"]
    assert ledger.account() == TimeUse(0, 0, {})


def test_last_event_id_again_is_a_duplicate_though_an_event_without_one_came_between(ledger: LedgerDriver) -> None:
    ledger.report(HEARTBEAT, 90)
    assert ledger.report(HEARTBEAT, 120, event_id="e-1", seq=5) == "duplicate"
    assert ledger.session().last_billed_at_ms == at(90)


def test_last_event_id_again_is_a_duplicate_though_a_start_without_one_came_between(ledger: LedgerDriver) -> None:
    """Otherwise the retry of an old ``end`` would close the new incarnation."""
    ledger.report(END, 90, event_id="e-2")
    ledger.report(START, 120)
    assert ledger.report(END, 150, event_id="e-2") == "duplicate"
    assert ledger.session().status == "active"


def test_start_that_reopened_a_session_again_is_a_duplicate(ledger: LedgerDriver) -> None:
    ledger.report(END, 120)
    outcomes = [ledger.report(START, second, event_id="e-2") for second in (180, 240)]
    assert (outcomes, ledger.session().incarnation) == (["recorded", "duplicate"], 2)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"kind": END}, id="kind"),
        pytest.param({"upstream_addr": HOST_B}, id="address"),
        pytest.param({"upstream_addr": None}, id="address-left-out"),
        pytest.param({"upstream_port": 8888}, id="port"),
        pytest.param({"edge_id": "edge-b"}, id="edge"),
        pytest.param({"streamer_id": "streamer-b"}, id="streamer"),
        pytest.param({"seq": 6}, id="seq"),
        pytest.param({"seq": None}, id="seq-left-out"),
        pytest.param({"occurred_at_ms": at(59)}, id="time"),
    ],
)
def test_event_id_with_other_content_is_a_conflict_that_changes_nothing(
    ledger: LedgerDriver, changed: dict[str, Any]
) -> None:
    before, count = ledger.session(), len(ledger.entries)
    said = {"kind": HEARTBEAT, "event_id": "e-1", "seq": 5, **changed}
    with pytest.raises(Rejected) as rejection:
        ledger.tell(event(at_ms=at(90), **said))
    assert (rejection.value.kind, list(rejection.value.fields)) == ("conflict", ["event_id"])
    assert (ledger.session(), len(ledger.entries)) == (before, count)


def test_event_id_of_another_session_is_no_conflict(ledger: LedgerDriver) -> None:
    assert ledger.report(START, 90, session_id="s-2", event_id="e-1") == "recorded"


def test_event_id_is_compared_with_the_last_event_that_counted(ledger: LedgerDriver) -> None:
    """A late event does not replace the last id: a retry of the event before it is still recognised."""
    assert ledger.report(HEARTBEAT, 70, event_id="e-0", seq=4) == "late"
    assert ledger.report(HEARTBEAT, 80, event_id="e-1", seq=5) == "duplicate"


@pytest.mark.parametrize("seq", [0, 4, 5])
@pytest.mark.parametrize("kind", EVENTS)
def test_seq_not_above_the_last_is_late_and_changes_nothing(ledger: LedgerDriver, kind: str, seq: int) -> None:
    before, count = ledger.session(), len(ledger.entries)
    assert ledger.report(kind, 90, seq=seq, upstream_addr=HOST_B) == "late"
    assert (ledger.session(), len(ledger.entries)) == (before, count)


@pytest.mark.parametrize("seq", [6, 100])
def test_seq_above_the_last_counts_even_if_some_are_missing(ledger: LedgerDriver, seq: int) -> None:
    assert ledger.report(HEARTBEAT, 120, seq=seq) == "recorded"
    assert ledger.session().seq == seq
    assert ledger.account() == TimeUse(2 * MINUTE_MS, 2 * MINUTE_MS, {})


def test_event_without_seq_counts_and_keeps_the_last_one(ledger: LedgerDriver) -> None:
    assert ledger.report(HEARTBEAT, 120) == "recorded"
    assert ledger.session().seq == 5
    assert ledger.report(HEARTBEAT, 130, seq=5) == "late"


def test_first_event_with_seq_is_recorded_whatever_it_is() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    assert ledger.report(HEARTBEAT, 60, seq=0) == "recorded"
    assert ledger.session().seq == 0


def test_seq_of_zero_is_remembered() -> None:
    ledger = LedgerDriver()
    assert [ledger.report(START, second, seq=0) for second in (0, 60)] == ["recorded", "late"]


def test_seq_goes_on_over_incarnations(ledger: LedgerDriver) -> None:
    """So a ``start`` that the network delayed cannot reopen the session."""
    ledger.report(END, 120, seq=6)
    assert ledger.report(START, 180, seq=1) == "late"
    assert ledger.session().status == "ended"
    assert ledger.report(START, 240, seq=7) == "recorded"
    assert ledger.session().incarnation == 2


def test_start_without_seq_keeps_the_last_one(ledger: LedgerDriver) -> None:
    ledger.report(END, 120, seq=6)
    assert ledger.report(START, 180) == "recorded"
    assert ledger.session().seq == 6
    assert ledger.report(HEARTBEAT, 240, seq=6) == "late"


def test_end_again_is_a_duplicate_whatever_its_seq(ledger: LedgerDriver) -> None:
    ledger.report(END, 120, event_id="e-2", seq=6)
    outcomes = [
        ledger.report(END, 180, event_id=event_id, seq=seq) for event_id, seq in (("e-2", 6), (None, 1), ("e-3", 7))
    ]
    assert outcomes == ["duplicate"] * 3
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI}


def test_edge_that_sends_neither_cannot_bill_a_moment_twice() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    said = event(kind=HEARTBEAT, at_ms=at(60), occurred_at_ms=at(60))
    outcomes = [ledger.tell(replace(said, received_at_ms=at(second))).kind for second in (60, 70, 80)]
    assert outcomes == ["recorded"] * 3
    assert ledger.credits_wei() == [MINUTE_WEI]


def test_older_event_with_an_id_bills_no_moment_twice(ledger: LedgerDriver) -> None:
    """Only the last id is remembered; an older event is accepted, but finds nothing left to bill."""
    ledger.report(HEARTBEAT, 120, event_id="e-2", occurred=120)
    ledger.report(HEARTBEAT, 130, event_id="e-1", occurred=60)
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI}
