"""The kinds of value that JSON from outside may hold, as marshmallow fields, for requests and for ``registry.json``.

Stricter than marshmallow's own: no number is a string, ``true`` is no number, and a string has no control characters.
May import ``payments.domain``. Not here: which field a request or a record has.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from marshmallow import ValidationError, fields

from payments.domain.money import MOST_WEI, parse_eth, parse_signed_eth
from payments.domain.times import parse_time

V = TypeVar("V")


class Strict(fields.Field[V]):
    """A field whose whole rule is ``read``, so that it can be applied without the rest of marshmallow."""

    def read(self, value: Any) -> V:
        """What ``value`` means; ``ValidationError`` where it means nothing."""
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


class Choice(Strict[str]):
    """One of a few words."""

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.words = words

    def read(self, value: Any) -> str:
        if type(value) is not str or value not in self.words:
            raise ValidationError(f"Must be one of: {', '.join(self.words)}.")
        return value


class Whole(Strict[int]):
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


class WholeText(Whole):
    """The same in a query string."""

    def read(self, value: Any) -> int:
        if type(value) is not str or not re.fullmatch(r"[0-9]{1,19}", value):
            raise ValidationError("Not a whole number.")
        return super().read(int(value))


class Flag(Strict[bool]):
    """``true`` or ``false``, and nothing that merely looks like it."""

    def read(self, value: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError("Not true or false.")
        return value


class Canonical(Strict[str]):
    """A string that ``spell`` brings into its one spelling, or refuses with ``ValueError``."""

    def __init__(self, spell: Callable[[str], str], **options: Any) -> None:
        super().__init__(**options)
        self._spell = spell

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise ValidationError("Not a string.")
        try:
            return self._spell(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Moment(Strict[int]):
    """RFC 3339 text, read to milliseconds."""

    def read(self, value: Any) -> int:
        if type(value) is not str:
            raise ValidationError("Not a string.")
        try:
            return parse_time(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Amount(Strict[int]):
    """An amount of ETH as a decimal string, read to wei; never zero, and below zero only if ``signed``.

    Not a JSON number: most readers make a float of that.
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
        if not 0 < abs(amount_wei) < MOST_WEI:
            raise ValidationError("Must not be zero, and below a trillion ETH.")
        return amount_wei
