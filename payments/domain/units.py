"""What the fields of records hold: which numbers are moments or money, which words there are.

A field's type says it, in ``Annotated``; how it is shown, read back and described all follows from that.
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
        schema: JSON Schema of what is shown.
        show: makes the text that is shown; ``None``: the value itself is. ``read`` is the way back.
        suffix: what the field's name ends with, and ``shown_suffix`` what the shown name has instead.
        is_shown: whether it is part of the record at all.
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
        name: of the attribute, and ``shown_name`` in the record.
        kind: its type.
        unit: of the type, or of ``X`` where that is ``X | None``.
    """

    name: str
    shown_name: str
    kind: Any
    unit: Unit | None


def members(kind: type) -> list[RecordField]:
    """The fields that records of ``kind`` show, in their order."""
    found = [_member(name, hint) for name, hint in get_type_hints(kind, include_extras=True).items()]
    return [each for each in found if each.unit is None or each.unit.is_shown]


def _member(name: str, kind: Any) -> RecordField:
    held = without_none(kind) or kind
    unit = next((mark for mark in getattr(held, "__metadata__", ()) if isinstance(mark, Unit)), None)
    return RecordField(name, f"{name.removesuffix(unit.suffix)}{unit.shown_suffix}" if unit else name, kind, unit)
