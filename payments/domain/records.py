"""Entries, sessions, balances and power states as JSON objects, and the way back.

One shape for the journal, for the projections and for HTTP, so that what an operator reads is the same everywhere.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from payments.domain.entries import JSON, Entry
from payments.domain.ledger import Balance, Booked
from payments.domain.money import format_eth
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.domain.times import format_time
from payments.domain.units import RecordField, members, without_none

T = TypeVar("T")


def record_writer(kind: type[T]) -> Callable[[T], dict[str, JSON]]:
    """A function that makes a record of a ``kind``.

    It is compiled, as those of dataclasses are: a loop over the fields takes half as long again.
    """
    shown = [f"{each.shown_name!r}: {_call('show', each, f'it.{each.name}')}" for each in members(kind)]
    return cast("Callable[[T], dict[str, JSON]]", _compiled(kind, f"lambda it: {{{', '.join(shown)}}}"))


def record_reader(kind: type[T]) -> Callable[[Mapping[str, Any]], T]:
    """The inverse of ``record_writer``. What it returns raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    # By position: by name takes half as long again.
    read = [_call("read", each, f"record[{each.shown_name!r}]") for each in members(kind)]
    return cast("Callable[[Mapping[str, Any]], T]", _compiled(kind, f"lambda record: kind({', '.join(read)})"))


def _call(way: str, member: RecordField, value: str) -> str:
    if member.unit is None or member.unit.show is None:
        return value
    text = f"{way}_{member.name}({value})"
    return text if without_none(member.kind) is None else f"None if {value} is None else {text}"


def _compiled(kind: type, source: str) -> object:
    functions = {
        f"{way}_{each.name}": getattr(each.unit, way) for each in members(kind) if each.unit for way in ("show", "read")
    }
    return eval(source, {"kind": kind, **functions})  # noqa: S307 -- nothing in it comes from outside


session_record, read_session = record_writer(Session), record_reader(Session)
power_record, read_power = record_writer(PowerState), record_reader(PowerState)
"""Times are in RFC 3339, amounts in ETH, durations in milliseconds."""

_balance_record, _read_balance = record_writer(Balance), record_reader(Balance)
_booked_record, _read_booked = record_writer(Booked), record_reader(Booked)


def balance_record(balance: Balance, credit_unit: str) -> dict[str, JSON]:
    """``balance`` with the amount in ETH; ``seq`` is the entry that made it so."""
    return {**_balance_record(balance), "credit_unit": credit_unit}


def booked_record(balance: Balance) -> dict[str, JSON]:
    """What was booked by hand, by key: the entry and the change."""
    return {key: _booked_record(booked) for key, booked in balance.booked.items()}


def read_balance(record: Mapping[str, Any]) -> Balance:
    """The inverse of ``balance_record``, with a ``booked_record`` in ``booked`` where anything was.

    ``KeyError``, ``TypeError`` or ``ValueError`` where it is none.
    """
    balance = _read_balance(record)
    booked = record.get("booked")
    return replace(balance, booked={key: _read_booked(each) for key, each in booked.items()}) if booked else balance


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
