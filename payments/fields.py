"""The kinds of value that JSON from outside may hold, as marshmallow fields, for requests and for ``registry.json``.

Stricter than marshmallow's own: strings are not numbers, ``true`` is not a number, and strings have no control
characters. ``shape`` describes a field's values in JSON Schema, for the API's description.

Not here: which field a request or a record has.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from marshmallow import ValidationError, fields

from payments.domain.money import MAX_WEI, parse_eth, parse_signed_eth
from payments.domain.times import parse_time

V = TypeVar("V")

PRINTABLE = r"^[^\x00-\x1f\x7f-\xa0\xad\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff]*$"
"""``str.isprintable`` as a regular expression that every reader of JSON Schema understands. Exact up to U+00FF; beyond
that it accepts every printable string and a few that ``isprintable`` refuses."""

IP_ADDRESS = {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}

_AMOUNT = r"(?=.*[1-9])0{0,18}[0-9]{1,12}(?:\.[0-9]{1,18})?"
_MOMENT = (
    r"^(19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)


def about(text: str) -> dict[str, str]:
    """The ``metadata`` of a field, with its description in the API's documentation."""
    return {"description": text}


class Strict(fields.Field[V]):
    """A field whose only rule is ``read``, so that it can be applied without the rest of marshmallow."""

    def read(self, value: Any) -> V:
        """``value``, converted. Raises ``ValidationError`` if it is invalid."""
        raise NotImplementedError

    def shape(self) -> Mapping[str, Any]:
        """JSON Schema of the values that it accepts, except ``null``."""
        raise NotImplementedError

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> V:
        return self.read(value)


class Text(Strict[str]):
    """A string of printable characters: no control characters, no lone surrogates, nothing that mangles a log."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise ValidationError("Not a string.")
        if not self.least <= len(value) <= self.most or not value.isprintable():
            raise ValidationError(f"Must be {self.least} to {self.most} printable characters.")
        return value

    def shape(self) -> Mapping[str, Any]:
        return {"type": "string", "minLength": self.least, "maxLength": self.most, "pattern": PRINTABLE}


class Choice(Strict[str]):
    """One of a few words."""

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def read(self, value: Any) -> str:
        if type(value) is not str or value not in self.words:
            raise ValidationError(f"Must be one of: {', '.join(self.words)}.")
        return value

    def shape(self) -> Mapping[str, Any]:
        return {"type": "string", "enum": list(self.words)}


class Integer(Strict[int]):
    """A whole JSON number from ``least`` to ``most``; not ``true``, not ``1.0``."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most = least, most

    def read(self, value: Any) -> int:
        if type(value) is not int:
            raise ValidationError("Not a whole number.")
        if not self.least <= value <= self.most:
            raise ValidationError(f"Must be from {self.least} to {self.most}.")
        return value

    def shape(self) -> Mapping[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class IntegerText(Integer):
    """As ``Integer``, but as text, such as a parameter in a query string."""

    def read(self, value: Any) -> int:
        if type(value) is not str or not re.fullmatch(r"[0-9]{1,19}", value):
            raise ValidationError("Not a whole number.")
        return super().read(int(value))


class Flag(Strict[bool]):
    """``true`` or ``false``; no strings or numbers."""

    def read(self, value: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError("Not true or false.")
        return value

    def shape(self) -> Mapping[str, Any]:
        return {"type": "boolean"}


class Canonical(Strict[str]):
    """A string that ``spell`` turns into its canonical spelling, or refuses with ``ValueError``.

    ``form``: further JSON Schema of the strings that it accepts.
    """

    def __init__(self, spell: Callable[[str], str], form: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._spell = spell
        self._form = form or {}

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise ValidationError("Not a string.")
        try:
            return self._spell(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def shape(self) -> Mapping[str, Any]:
        return {"type": "string", **self._form}


class Moment(Strict[int]):
    """RFC 3339 text, read to milliseconds."""

    def read(self, value: Any) -> int:
        if type(value) is not str:
            raise ValidationError("Not a string.")
        try:
            return parse_time(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def shape(self) -> Mapping[str, Any]:
        return {"type": "string", "format": "date-time", "pattern": _MOMENT}


class Amount(Strict[int]):
    """An amount of ETH as a decimal string, converted to wei. Not zero; negative only if ``signed``.

    Not a JSON number: most readers turn those into floats.
    """

    def __init__(self, *, signed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.signed = signed

    def read(self, value: Any) -> int:
        if type(value) is not str:
            raise ValidationError('Not a string; an amount is written like "0.25".')
        try:
            amount_wei = parse_signed_eth(value) if self.signed else parse_eth(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        if not 0 < abs(amount_wei) < MAX_WEI:
            raise ValidationError("Must not be zero, and below a trillion ETH.")
        return amount_wei

    def shape(self) -> Mapping[str, Any]:
        return {"type": "string", "pattern": f"^{'-?' if self.signed else ''}{_AMOUNT}$"}
