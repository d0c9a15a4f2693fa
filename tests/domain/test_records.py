"""Records survive the way to JSON and back, so the journal and its projections have what was recorded."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.entries import Entry
from payments.domain.ledger import Balance, Booked
from payments.domain.readings import PowerState
from payments.domain.records import (
    balance_record,
    booked_record,
    entry_record,
    power_record,
    read_balance,
    read_power,
    read_session,
    session_record,
)
from payments.domain.sessions import END, HEARTBEAT, START, Session
from tests.domain.ledger_driver import MINUTE_MS, MINUTE_WEI, LedgerDriver
from tests.domain.strategies import COUNTS, MOMENTS_MS, MONEY, POWER_STATES, SESSIONS, TEXT, entries
from tests.harness import TERMS, campaign


def through_json(record: Any) -> Any:
    """``record`` after writing and reading it."""
    return orjson.loads(orjson.dumps(record))


@given(SESSIONS)
@campaign(100)
def test_session_reads_back_as_it_was_written(session: Session) -> None:
    assert read_session(through_json(session_record(session))) == session


@given(POWER_STATES)
@campaign(100)
def test_power_state_reads_back_as_it_was_written(power: PowerState) -> None:
    assert read_power(through_json(power_record(power))) == power


@given(st.builds(Balance, TEXT, MONEY, MOMENTS_MS, COUNTS, st.dictionaries(TEXT, st.builds(Booked, COUNTS, MONEY))))
@campaign(100)
def test_balance_reads_back_as_it_was_written(balance: Balance) -> None:
    record = {**balance_record(balance, "eth"), "booked": booked_record(balance)}
    assert read_balance(through_json(record)) == balance


def test_balance_without_bookings_need_not_say_so() -> None:
    balance = Balance("orch-a", -1, 0, 7)
    assert read_balance(through_json(balance_record(balance, "eth"))) == balance


@given(entries())
@campaign(100)
def test_only_money_has_amounts(entry: Entry) -> None:
    record = entry_record(entry)
    amounts = {name: record[name] for name in ("amount", "delta", "balance") if name in record}
    assert all(isinstance(amount, str) for amount in amounts.values())
    assert set(amounts) == (set() if entry.delta_wei is None else {"amount", "delta", "balance"})


def test_records_of_a_minute_say_what_the_contract_says() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0, edge_id="edge-a", upstream_port=8888, streamer_id="streamer-a", seq=1)
    ledger.report(HEARTBEAT, 60, event_id="e-2", seq=2)
    session = session_record(ledger.session())
    assert isinstance(session.pop("event_digest"), str)
    assert session == {
        "session_id": "s-1",
        "incarnation": 1,
        "opened_seq": 1,
        "orchestrator_id": "orch-a",
        "upstream_addr": "203.0.113.10",
        "upstream_port": 8888,
        "edge_id": "edge-a",
        "streamer_id": "streamer-a",
        "status": "active",
        "started_at": "2027-01-15T08:00:00.000Z",
        "last_seen_at": "2027-01-15T08:01:00.000Z",
        "last_event": "heartbeat",
        "last_billed_at": "2027-01-15T08:01:00.000Z",
        "ended_at": None,
        "end_reason": None,
        "billed_ms": MINUTE_MS,
        "billed_eth": "0.001",
        "remainder": 0,
        "last_credited_eth": "0.001",
        "unbilled_ms": {},
        "heartbeat_count": 1,
        "seq": 2,
        "event_id": "e-2",
    }
    assert entry_record(ledger.entries[1]) == {
        "seq": 2,
        "timestamp": "2027-01-15T08:01:00.000Z",
        "event": "credit",
        "reason": "session_time",
        "orchestrator_id": "orch-a",
        "amount": "0.001",
        "delta": "0.001",
        "balance": "0.001",
        "metadata": {
            "session_id": "s-1",
            "incarnation": 1,
            "edge_id": "edge-a",
            "streamer_id": "streamer-a",
            "upstream_addr": "203.0.113.10",
            "upstream_port": 8888,
            "event": "heartbeat",
            "delta_ms": MINUTE_MS,
            "interval_start": "2027-01-15T08:00:00.000Z",
            "interval_end": "2027-01-15T08:01:00.000Z",
            "rate_eth_per_minute": "0.001",
            "credit_unit": "eth",
        },
    }
    assert balance_record(ledger.state.balances["orch-a"], "eth") == {
        "orchestrator_id": "orch-a",
        "balance": "0.001",
        "credit_unit": "eth",
        "updated_at": "2027-01-15T08:01:00.000Z",
        "seq": 2,
    }


def test_entry_that_moves_no_money_says_why() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0, upstream_addr="198.51.100.1")
    ledger.report(END, 60)
    assert entry_record(ledger.entries[1]) == {
        "seq": 2,
        "timestamp": "2027-01-15T08:01:00.000Z",
        "event": "session",
        "reason": "session_closed",
        "orchestrator_id": None,
        "metadata": {
            "session_id": "s-1",
            "incarnation": 1,
            "edge_id": None,
            "streamer_id": None,
            "upstream_addr": "198.51.100.1",
            "upstream_port": None,
            "event": "end",
            "delta_ms": 0,
            "interval_start": "2027-01-15T08:00:00.000Z",
            "interval_end": "2027-01-15T08:01:00.000Z",
            "unbilled_ms": {"unattributed": MINUTE_MS},
        },
    }


def test_records_of_a_minute_of_power_say_what_the_contract_says() -> None:
    ledger = LedgerDriver(TERMS._replace(power_rate_wei_per_minute=MINUTE_WEI))
    ledger.read(0)
    ledger.read(60)
    assert power_record(ledger.power()) == {
        "orchestrator_id": "orch-a",
        "state": "awake",
        "detail": None,
        "read_at": "2027-01-15T08:01:00.000Z",
        "since": "2027-01-15T08:00:00.000Z",
        "awake_from": "2027-01-15T08:00:00.000Z",
        "awake_until": "2027-01-15T08:04:00.000Z",
        "metered_from": "2027-01-15T08:00:00.000Z",
        "metered_to": "2027-01-15T08:01:00.000Z",
        "billed_ms": MINUTE_MS,
        "billed_eth": "0.001",
        "remainder": 0,
        "last_credited_eth": "0.001",
        "no_credit": None,
        "unbilled_ms": {},
    }
    assert entry_record(ledger.entries[1]) == {
        "seq": 2,
        "timestamp": "2027-01-15T08:01:00.000Z",
        "event": "credit",
        "reason": "power_time",
        "orchestrator_id": "orch-a",
        "amount": "0.001",
        "delta": "0.001",
        "balance": "0.001",
        "metadata": {
            "state": "awake",
            "read_at": "2027-01-15T08:01:00.000Z",
            "delta_ms": MINUTE_MS,
            "interval_start": "2027-01-15T08:00:00.000Z",
            "interval_end": "2027-01-15T08:01:00.000Z",
            "rate_eth_per_minute": "0.001",
            "credit_unit": "eth",
        },
    }


def test_power_record_without_any_one_of_its_fields_is_refused() -> None:
    ledger = LedgerDriver()
    ledger.read(0)
    record = power_record(ledger.power())
    for name in record:
        with pytest.raises(KeyError, match=name):
            read_power({other: record[other] for other in record if other != name})


def test_session_record_without_any_one_of_its_fields_is_refused() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    record = session_record(ledger.session())
    for name in record:
        with pytest.raises(KeyError, match=name):
            read_session({other: record[other] for other in record if other != name})
