"""Decimals of any length -> wei and the rest below one wei; moments to the microsecond. Exact, or refused.

livepeer-ops computes with 28 significant digits, so most of its amounts have far more than 18 decimals, and small ones
have an exponent (``2.056666666666666666666666667E-6``).
"""

import re
from decimal import ROUND_FLOOR, Context, Decimal, Inexact
from typing import Any

from payments.domain.money import MAX_WEI, WEI_PER_ETH
from payments.domain.times import parse_time

_MOST_DECIMALS = 60
_MOST_ETH = MAX_WEI // WEI_PER_ETH
_AMOUNT = re.compile(r"-?[0-9]{1,80}(?:\.[0-9]{1,80})?(?:[eE][+-]?[0-9]{1,3})?")
_BELOW_A_MILLISECOND = re.compile(r"\.[0-9]{3}[0-9]*[1-9]")
# More digits than sums within these bounds can have; more would raise, not round. Every operation uses this context:
# even abs() rounds to the 28 digits of the default one.
_EXACT = Context(prec=120, traps=[Inexact])


def read_amount(value: Any) -> Decimal:
    """The amount of ETH in a JSON string or number; ``ValueError`` for anything else."""
    text = str(value) if type(value) in (str, int, Decimal) else ""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{str(value)[:80]!a} is not an amount of ETH")
    amount = Decimal(text)
    if amount.copy_abs() >= _MOST_ETH:
        raise ValueError(f"{text} is more ETH than there can be")
    if amount and -int(amount.as_tuple().exponent) > _MOST_DECIMALS:
        raise ValueError(f"{text} has more than {_MOST_DECIMALS} decimals")
    return amount or Decimal(0)


def total(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum."""
    return _EXACT.add(one, other)


def difference(one: Decimal, other: Decimal) -> Decimal:
    """The exact difference."""
    return _EXACT.subtract(one, other)


def whole_wei(amount: Decimal) -> tuple[int, Decimal]:
    """``amount`` ETH in wei, rounded down, and the rest: 0 or more ETH, below one wei."""
    wei = int(_EXACT.multiply(amount, Decimal(WEI_PER_ETH)).to_integral_value(ROUND_FLOOR))
    return wei, difference(amount, _EXACT.divide(Decimal(wei), Decimal(WEI_PER_ETH)))


def plain(amount: Decimal) -> str:
    """``amount`` as text, without exponent and trailing zeros."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if amount else "0"


def moment_after(text: Any) -> int:
    """The first whole millisecond at or after the moment in ``text``, so that nothing before it is counted again.

    Raises ``ValueError`` if it is not an RFC 3339 time.
    """
    if not isinstance(text, str):
        raise ValueError(f"{str(text)[:80]!a} is not a time")
    return parse_time(text) + bool(_BELOW_A_MILLISECOND.search(text))
