"""Types for the fields of records: moments, money, enumerations.

A field declares its ``Unit`` in ``Annotated``. How it is written, read and described in the API follows from that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypeAlias, get_args, get_type_hints

from payments.domain.money import format_eth, read_eth
from payments.domain.times import format_time, read_time


@dataclass(frozen=True, eq=False)
class Unit:
    """What a field holds, beyond its Python type.

    Attributes:
        schema: JSON Schema of the JSON value.
        show: turns the value into its text; ``None``: the JSON value is the value itself.
        read: the inverse of ``show``.
        suffix: what the field's name ends with.
        shown_suffix: what replaces ``suffix`` in the JSON name.
        is_shown: whether the JSON object has the field.
    """

    schema: Mapping[str, Any] = field(default_factory=dict)
    show: Callable[[int], str] | None = None
    read: Callable[[str], int] | None = None
    suffix: str = ""
    shown_suffix: str = ""
    is_shown: bool = True


def one_of(*words: str) -> Unit:
    """The unit of a field that holds one of ``words``."""
    return Unit({"enum": list(words)})


def _eth(sign: str) -> Mapping[str, Any]:
    return {"type": "string", "pattern": rf"^{sign}(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$", "description": "In ETH, exact."}


_MOMENT = {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}

Moment: TypeAlias = Annotated[int, Unit(_MOMENT, format_time, read_time, "_ms")]
"""Milliseconds since the Unix epoch. Durations are plain ``int``."""

Wei: TypeAlias = Annotated[int, Unit(_eth(""), format_eth, read_eth, "_wei", "_eth")]
SignedWei: TypeAlias = Annotated[int, Unit(_eth("-?"), format_eth, read_eth, "_wei")]
"""Wei that may be negative: a balance, or a change of one."""

Ordinal: TypeAlias = Annotated[int, Unit({"minimum": 1})]
Remainder: TypeAlias = Annotated[int, Unit({"maximum": 59_999})]
HIDDEN = Unit(is_shown=False)


def without_none(kind: Any) -> Any:
    """``X`` of ``X | None``; ``None`` for any other type."""
    arguments = get_args(kind)
    return arguments[0] if type(None) in arguments else None


class RecordField(NamedTuple):
    """One field of a record.

    Attributes:
        name: of the attribute.
        shown_name: its name in the JSON object.
        kind: its type.
        unit: declared by the type, or by ``X`` if the type is ``X | None``; ``None``: no unit.
    """

    name: str
    shown_name: str
    kind: Any
    unit: Unit | None


def record_fields(kind: type) -> list[RecordField]:
    """The fields of ``kind`` that its JSON object has, in that order."""
    found = [_record_field(name, hint) for name, hint in get_type_hints(kind, include_extras=True).items()]
    return [each for each in found if each.unit is None or each.unit.is_shown]


def _record_field(name: str, kind: Any) -> RecordField:
    inner = without_none(kind) or kind
    unit = next((each for each in getattr(inner, "__metadata__", ()) if isinstance(each, Unit)), None)
    return RecordField(name, f"{name.removesuffix(unit.suffix)}{unit.shown_suffix}" if unit else name, kind, unit)
