"""Any record, for property tests, including records that the rules would never make."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from hypothesis import strategies as st

from payments.domain.entries import Entry
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.domain.units import Moment, SignedWei, Wei, record_fields, without_none

T = TypeVar("T")

MOMENTS_MS = st.integers(0, 253_402_300_799_999)
AMOUNTS_WEI = st.integers(0, 10**40)
TEXT = st.text(st.characters(codec="utf-8"), max_size=128)
COUNTS = st.integers(0, 2**63 - 1)
MONEY = st.integers(-(10**40), 10**40)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field of type ``kind``."""
    if (held := without_none(kind)) is not None:
        return st.none() | values_of(held)
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is Mapping:
        return st.dictionaries(*map(values_of, get_args(kind)))
    _, unit = get_args(kind)
    if "enum" in unit.schema:
        return st.sampled_from(unit.schema["enum"])
    return st.integers(unit.schema.get("minimum", 0), unit.schema.get("maximum", 2**63 - 1))


def any_of(kind: type[T]) -> st.SearchStrategy[T]:
    """Records of ``kind`` with any values."""
    return st.builds(kind, **{each.name: values_of(each.kind) for each in record_fields(kind)})


PLAIN = {str: TEXT, int: COUNTS, Moment: MOMENTS_MS, Wei: AMOUNTS_WEI, SignedWei: MONEY}
SESSIONS, POWER_STATES = any_of(Session), any_of(PowerState)
METADATA = st.dictionaries(TEXT, st.none() | COUNTS | TEXT | st.dictionaries(TEXT, COUNTS, max_size=3), max_size=5)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Entries with or without money, about a session, an orchestrator's power, or neither."""
    moves_money = draw(st.booleans())
    return Entry(
        seq=draw(COUNTS),
        timestamp_ms=draw(MOMENTS_MS),
        event=draw(TEXT),
        reason=draw(TEXT),
        orchestrator_id=draw(st.none() | TEXT),
        delta_wei=draw(MONEY) if moves_money else None,
        balance_wei=draw(MONEY) if moves_money else None,
        metadata=draw(METADATA),
        session=draw(st.none() | SESSIONS),
        power=draw(st.none() | POWER_STATES),
    )
