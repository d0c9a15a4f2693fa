"""Entries, sessions, balances and power states <-> JSON objects.

The projections, the API and the exports all use these objects, so operators see the same names everywhere.
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
from payments.domain.units import RecordField, record_fields, without_none

T = TypeVar("T")


def record_writer(kind: type[T]) -> Callable[[T], dict[str, JSON]]:
    """A function that turns a ``kind`` into its JSON object.

    Generated as source and compiled, as dataclasses do: a loop over the fields would take 1.5 times as long.
    """
    shown = [f"{each.shown_name!r}: {_call('show', each, f'it.{each.name}')}" for each in record_fields(kind)]
    return cast("Callable[[T], dict[str, JSON]]", _compiled(kind, f"lambda it: {{{', '.join(shown)}}}"))


def record_reader(kind: type[T]) -> Callable[[Mapping[str, Any]], T]:
    """The inverse of ``record_writer``: the function raises ``KeyError``, ``TypeError`` or ``ValueError``."""
    # Arguments by position: passing them by name would take 1.5 times as long.
    read = [_call("read", each, f"record[{each.shown_name!r}]") for each in record_fields(kind)]
    return cast("Callable[[Mapping[str, Any]], T]", _compiled(kind, f"lambda record: kind({', '.join(read)})"))


def _call(way: str, field: RecordField, value: str) -> str:
    if field.unit is None or field.unit.show is None:
        return value
    text = f"{way}_{field.name}({value})"
    return text if without_none(field.kind) is None else f"None if {value} is None else {text}"


def _compiled(kind: type, source: str) -> object:
    functions = {
        f"{way}_{each.name}": getattr(each.unit, way)
        for each in record_fields(kind)
        if each.unit
        for way in ("show", "read")
    }
    return eval(source, {"kind": kind, **functions})  # noqa: S307 -- built from field names only


session_record, read_session = record_writer(Session), record_reader(Session)
power_record, read_power = record_writer(PowerState), record_reader(PowerState)
"""Times are in RFC 3339, amounts in ETH, durations in milliseconds."""

_balance_record, _read_balance = record_writer(Balance), record_reader(Balance)
_booked_record, _read_booked = record_writer(Booked), record_reader(Booked)


def balance_record(balance: Balance, credit_unit: str) -> dict[str, JSON]:
    """``balance`` as a JSON object, with the amount in ETH."""
    return {**_balance_record(balance), "credit_unit": credit_unit}


def booked_record(balance: Balance) -> dict[str, JSON]:
    """``balance.booked`` as a JSON object: the entry's ``seq`` and the change, by key."""
    return {key: _booked_record(booked) for key, booked in balance.booked.items()}


def read_balance(record: Mapping[str, Any]) -> Balance:
    """The inverse of ``balance_record``, plus a ``booked_record`` under ``booked`` if there is one.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` if ``record`` is something else.
    """
    balance = _read_balance(record)
    booked = record.get("booked")
    return replace(balance, booked={key: _read_booked(each) for key, each in booked.items()}) if booked else balance


def entry_record(entry: Entry) -> dict[str, JSON]:
    """``entry`` as a JSON object, without session and power state.

    ``amount``, ``delta`` and ``balance``, in ETH, are there only if money moves.
    """
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
