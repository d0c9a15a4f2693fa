"""What an event bills, and to which orchestrator: rules 4.1 to 4.4."""

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver, TimeUse
from tests.harness import HOST_A, HOST_B, TERMS

HOST_C = "198.51.100.30"
"""Belongs to nobody unless a test registers it."""

WITH_C = TERMS._replace(attribution={**TERMS.attribution, HOST_C: "orch-c"})


@pytest.fixture
def ledger() -> LedgerDriver:
    """An empty ledger: 0.001 ETH a minute, no maximum gap, events accepted for a day."""
    return LedgerDriver()


@pytest.mark.parametrize("kind", [START, HEARTBEAT, END])
def test_every_event_bills_the_time_since_the_last_billed_one(ledger: LedgerDriver, kind: str) -> None:
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 15)
    ledger.report(kind, 60)
    assert ledger.credits_wei() == [MINUTE_WEI // 4, MINUTE_WEI * 3 // 4]
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}
    assert ledger.account() == TimeUse(MINUTE_MS, MINUTE_MS, {})


def test_two_events_at_the_same_moment_bill_once(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.report(HEARTBEAT, 60)
    assert ledger.credits_wei() == [MINUTE_WEI]
    assert ledger.session().last_credited_wei == MINUTE_WEI
    assert ledger.session().heartbeat_count == 2


def test_receipt_that_steps_back_bills_nothing_and_loses_nothing(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.report(HEARTBEAT, 30)
    ledger.report(END, 120)
    assert ledger.credits_wei() == [MINUTE_WEI, MINUTE_WEI]
    assert ledger.account() == TimeUse(2 * MINUTE_MS, 2 * MINUTE_MS, {})


def test_wei_that_do_not_fill_up_are_kept_for_the_next_credit() -> None:
    """At one wei a minute, three heartbeats of 20 s earn one wei, and the third is credited with it."""
    ledger = LedgerDriver(TERMS._replace(rate_wei_per_minute=1))
    for second in (0, 20, 40, 60):
        ledger.report(HEARTBEAT, second)
    assert ledger.credits_wei() == [0, 0, 1]
    assert ledger.session().remainder == 0


def test_wei_that_do_not_fill_up_survive_a_change_of_rate() -> None:
    ledger = LedgerDriver(TERMS._replace(rate_wei_per_minute=1))
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 30)
    ledger.terms = TERMS._replace(rate_wei_per_minute=3)
    ledger.report(HEARTBEAT, 40)
    assert ledger.credits_wei() == [0, 1]
    assert ledger.session().remainder == 0


def test_rate_in_force_at_the_event_prices_the_interval(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.terms = TERMS._replace(rate_wei_per_minute=7 * MINUTE_WEI)
    ledger.report(HEARTBEAT, 120)
    assert ledger.credits_wei() == [MINUTE_WEI, 7 * MINUTE_WEI]
    assert [entry.metadata["rate_eth_per_minute"] for entry in ledger.entries[1:]] == ["0.001", "0.007"]


@pytest.mark.parametrize("last", [START, HEARTBEAT, END])
def test_address_that_changes_with_an_event_bills_the_interval_to_the_old_one(ledger: LedgerDriver, last: str) -> None:
    ledger.report(START, 0, upstream_addr=HOST_A)
    ledger.report(last, 60, upstream_addr=HOST_B)
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}
    assert ledger.entries[-1].metadata["upstream_addr"] == HOST_A
    assert (ledger.session().upstream_addr, ledger.session().orchestrator_id) == (HOST_B, "orch-b")


def test_session_goes_on_with_the_changed_address(ledger: LedgerDriver) -> None:
    ledger.report(START, 0, upstream_addr=HOST_A)
    ledger.report(HEARTBEAT, 60, upstream_addr=HOST_B)
    ledger.report(HEARTBEAT, 180, upstream_addr=HOST_A)
    ledger.report(END, 480, upstream_addr=HOST_B)
    assert ledger.earned_wei() == {"orch-a": 6 * MINUTE_WEI, "orch-b": 2 * MINUTE_WEI}
    assert ledger.session().billed_wei == 8 * MINUTE_WEI


def test_event_without_address_keeps_the_known_one(ledger: LedgerDriver) -> None:
    ledger.report(START, 0, upstream_port=8888, edge_id="edge-a", streamer_id="streamer-a")
    ledger.report(HEARTBEAT, 60, upstream_addr=None)
    session = ledger.session()
    assert (session.upstream_addr, session.upstream_port) == (HOST_A, 8888)
    assert (session.edge_id, session.streamer_id) == ("edge-a", "streamer-a")
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI}


def test_event_that_says_more_is_believed_from_then_on(ledger: LedgerDriver) -> None:
    ledger.report(START, 0, upstream_port=8888, edge_id="edge-a")
    ledger.report(HEARTBEAT, 60, upstream_port=8889, edge_id="edge-b", streamer_id="streamer-b")
    session = ledger.session()
    assert (session.upstream_port, session.edge_id, session.streamer_id) == (8889, "edge-b", "streamer-b")


def test_unmatched_address_is_recorded_and_credits_nothing(ledger: LedgerDriver) -> None:
    ledger.report(START, 0, upstream_addr=HOST_C)
    ledger.report(END, 60, upstream_addr=HOST_C)
    assert ledger.session().orchestrator_id is None
    assert ledger.account() == TimeUse(MINUTE_MS, 0, {"unattributed": MINUTE_MS})
    assert (ledger.credits_wei(), ledger.earned_wei()) == ([], {})


def test_record_registered_later_earns_from_its_first_event_on(ledger: LedgerDriver) -> None:
    ledger.report(START, 0, upstream_addr=HOST_C)
    ledger.report(HEARTBEAT, 60, upstream_addr=HOST_C)
    ledger.terms = WITH_C
    ledger.report(HEARTBEAT, 120, upstream_addr=HOST_C)
    assert ledger.earned_wei() == {}
    assert ledger.session().orchestrator_id == "orch-c"
    ledger.report(END, 180, upstream_addr=HOST_C)
    assert ledger.earned_wei() == {"orch-c": MINUTE_WEI}
    assert ledger.account() == TimeUse(3 * MINUTE_MS, MINUTE_MS, {"unattributed": 2 * MINUTE_MS})


def test_record_that_goes_earns_the_interval_that_began_with_it() -> None:
    ledger = LedgerDriver(WITH_C)
    ledger.report(START, 0, upstream_addr=HOST_C)
    ledger.terms = TERMS
    ledger.report(HEARTBEAT, 60, upstream_addr=HOST_C)
    ledger.report(END, 120, upstream_addr=HOST_C)
    assert ledger.earned_wei() == {"orch-c": MINUTE_WEI}
    assert ledger.account() == TimeUse(2 * MINUTE_MS, MINUTE_MS, {"unattributed": MINUTE_MS})


def test_address_that_moves_to_another_record_moves_with_the_next_event(ledger: LedgerDriver) -> None:
    ledger.report(START, 0)
    ledger.terms = TERMS._replace(attribution={HOST_A: "orch-z"})
    ledger.report(HEARTBEAT, 60)
    ledger.report(END, 180)
    assert ledger.earned_wei() == {"orch-a": MINUTE_WEI, "orch-z": 2 * MINUTE_WEI}


def test_sessions_of_one_orchestrator_share_its_balance(ledger: LedgerDriver) -> None:
    for session_id in ("s-1", "s-2"):
        ledger.report(START, 0, session_id=session_id)
        ledger.report(END, 60, session_id=session_id)
    assert ledger.credits_wei() == [MINUTE_WEI, MINUTE_WEI]
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI}
    assert [entry.balance_wei for entry in ledger.entries] == [None, MINUTE_WEI, None, 2 * MINUTE_WEI]


def test_rate_zero_records_and_credits_nothing() -> None:
    ledger = LedgerDriver(TERMS._replace(rate_wei_per_minute=0))
    ledger.report(START, 0)
    ledger.report(END, 60)
    assert ledger.account() == TimeUse(MINUTE_MS, 0, {"unpriced": MINUTE_MS})
    assert (ledger.credits_wei(), ledger.earned_wei()) == ([], {})


def test_rate_that_is_set_later_prices_the_interval_that_ends_then() -> None:
    ledger = LedgerDriver(TERMS._replace(rate_wei_per_minute=0))
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 60)
    ledger.terms = TERMS
    ledger.report(END, 180)
    assert ledger.account() == TimeUse(3 * MINUTE_MS, 2 * MINUTE_MS, {"unpriced": MINUTE_MS})
    assert ledger.earned_wei() == {"orch-a": 2 * MINUTE_WEI}


def test_time_without_orchestrator_and_rate_counts_once_as_unattributed() -> None:
    ledger = LedgerDriver(TERMS._replace(rate_wei_per_minute=0))
    ledger.report(START, 0, upstream_addr=HOST_C)
    ledger.report(END, 60)
    assert ledger.account() == TimeUse(MINUTE_MS, 0, {"unattributed": MINUTE_MS})


@pytest.mark.parametrize("unit", ["eth", "credits"])
def test_credit_carries_the_unit_of_its_terms(unit: str) -> None:
    ledger = LedgerDriver(TERMS._replace(credit_unit=unit))
    ledger.report(START, 0)
    ledger.report(END, 60)
    assert ledger.entries[1].metadata["credit_unit"] == unit
