"""Entries, sessions, balances and power states as JSON objects (SPEC.md sections 3 and 5), and the way back.

One shape for the journal, for the projections and for HTTP, so that what an operator reads is the same everywhere.
"""

from collections.abc import Mapping
from typing import Any

from payments.domain.entries import JSON, Entry
from payments.domain.ledger import Balance, Booked
from payments.domain.money import format_eth, read_eth
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.domain.times import format_time, read_time


def session_record(session: Session) -> dict[str, JSON]:
    """``session`` with times in RFC 3339, amounts in ETH and durations in milliseconds."""
    ended_at_ms = session.ended_at_ms
    return {
        "session_id": session.session_id,
        "incarnation": session.incarnation,
        "opened_seq": session.opened_seq,
        "orchestrator_id": session.orchestrator_id,
        "upstream_addr": session.upstream_addr,
        "upstream_port": session.upstream_port,
        "edge_id": session.edge_id,
        "streamer_id": session.streamer_id,
        "status": session.status,
        "started_at": format_time(session.started_at_ms),
        "last_seen_at": format_time(session.last_seen_at_ms),
        "last_event": session.last_event,
        "last_billed_at": format_time(session.last_billed_at_ms),
        "ended_at": None if ended_at_ms is None else format_time(ended_at_ms),
        "end_reason": session.end_reason,
        "billed_ms": session.billed_ms,
        "billed_eth": format_eth(session.billed_wei),
        "remainder": session.remainder,
        "last_credited_eth": format_eth(session.last_credited_wei),
        "unbilled_ms": session.unbilled_ms,
        "heartbeat_count": session.heartbeat_count,
        "seq": session.last_seq,
        "event_id": session.event_id,
        "event_digest": session.event_digest,
    }


def read_session(record: Mapping[str, Any]) -> Session:
    """The inverse of ``session_record``. ``KeyError``, ``TypeError`` or ``ValueError`` where it is none."""
    ended_at = record["ended_at"]
    return Session(
        record["session_id"],
        record["incarnation"],
        record["opened_seq"],
        record["orchestrator_id"],
        record["upstream_addr"],
        record["upstream_port"],
        record["edge_id"],
        record["streamer_id"],
        record["status"],
        read_time(record["started_at"]),
        read_time(record["last_seen_at"]),
        record["last_event"],
        read_time(record["last_billed_at"]),
        None if ended_at is None else read_time(ended_at),
        record["end_reason"],
        record["billed_ms"],
        read_eth(record["billed_eth"]),
        record["remainder"],
        read_eth(record["last_credited_eth"]),
        record["unbilled_ms"],
        record["heartbeat_count"],
        record["seq"],
        record["event_id"],
        record["event_digest"],
    )


def balance_record(balance: Balance, credit_unit: str) -> dict[str, JSON]:
    """``balance`` with the amount in ETH; ``seq`` is the entry that made it so."""
    return {
        "orchestrator_id": balance.orchestrator_id,
        "balance": format_eth(balance.balance_wei),
        "credit_unit": credit_unit,
        "updated_at": format_time(balance.updated_at_ms),
        "seq": balance.seq,
    }


def booked_record(balance: Balance) -> dict[str, JSON]:
    """What was booked by hand, by key: the entry and the change."""
    return {key: {"seq": booked.seq, "delta": format_eth(booked.delta_wei)} for key, booked in balance.booked.items()}


def read_balance(record: Mapping[str, Any]) -> Balance:
    """The inverse of ``balance_record``, with a ``booked_record`` in ``booked`` where anything was.

    ``KeyError``, ``TypeError`` or ``ValueError`` where it is none.
    """
    return Balance(
        record["orchestrator_id"],
        read_eth(record["balance"]),
        read_time(record["updated_at"]),
        record["seq"],
        {key: Booked(each["seq"], read_eth(each["delta"])) for key, each in record.get("booked", {}).items()},
    )


def power_record(power: PowerState) -> dict[str, JSON]:
    """``power`` with times in RFC 3339, amounts in ETH and durations in milliseconds."""
    return {
        "orchestrator_id": power.orchestrator_id,
        "state": power.state,
        "detail": power.detail,
        "read_at": format_time(power.read_at_ms),
        "since": format_time(power.since_ms),
        "awake_from": format_time(power.awake_from_ms),
        "awake_until": format_time(power.awake_until_ms),
        "metered_from": format_time(power.metered_from_ms),
        "metered_to": format_time(power.metered_to_ms),
        "billed_ms": power.billed_ms,
        "billed_eth": format_eth(power.billed_wei),
        "remainder": power.remainder,
        "last_credited_eth": format_eth(power.last_credited_wei),
        "no_credit": power.no_credit,
        "unbilled_ms": power.unbilled_ms,
    }


def read_power(record: Mapping[str, Any]) -> PowerState:
    """The inverse of ``power_record``. ``KeyError``, ``TypeError`` or ``ValueError`` where it is none."""
    return PowerState(
        record["orchestrator_id"],
        record["state"],
        record["detail"],
        read_time(record["read_at"]),
        read_time(record["since"]),
        read_time(record["awake_from"]),
        read_time(record["awake_until"]),
        read_time(record["metered_from"]),
        read_time(record["metered_to"]),
        record["billed_ms"],
        read_eth(record["billed_eth"]),
        record["remainder"],
        read_eth(record["last_credited_eth"]),
        record["no_credit"],
        record["unbilled_ms"],
    )


def entry_record(entry: Entry) -> dict[str, JSON]:
    """``entry`` without its session and power state. Only money has ``amount``, ``delta`` and ``balance``."""
    record: dict[str, JSON] = {
        "seq": entry.seq,
        "timestamp": format_time(entry.timestamp_ms),
        "event": entry.event,
        "reason": entry.reason,
        "orchestrator_id": entry.orchestrator_id,
    }
    if entry.delta_wei is not None and entry.balance_wei is not None:
        delta = format_eth(entry.delta_wei)
        record["amount"] = delta.removeprefix("-")
        record["delta"] = delta
        record["balance"] = format_eth(entry.balance_wei)
    record["metadata"] = entry.metadata
    return record
