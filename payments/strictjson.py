"""JSON as RFC 8259 has it, where ``json.loads`` is lenient: for what comes from outside (rule 7.2).

Duplicate names are refused: which of the two a reader takes is anybody's guess. So are ``NaN`` and its like, which are
not JSON, other encodings than UTF-8, and nesting that exhausts the stack.
"""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

import orjson


def read_strictly(data: bytes) -> Any:
    """The value in ``data``; ``ValueError`` that says what is wrong."""
    try:
        value = orjson.loads(data)
        # Written back to the byte: no name stood twice, and no number was bent. A quarter of the time of what follows.
        if orjson.dumps(value) == data:
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        # What is nested more than 254 deep it reads and does not write.
        pass
    return _decode(_DECODER, data)


def read_exactly(data: bytes) -> Any:
    """As ``read_strictly``, and a number with a point or an exponent is a ``Decimal``, to the last digit."""
    return _decode(_EXACT_DECODER, data)


def _decode(decoder: json.JSONDecoder, data: bytes) -> Any:
    try:
        return decoder.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) < len(pairs):
        doubled = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the name {doubled!a} stands twice in one object")
    return items


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _exact(number: str) -> Decimal:
    try:
        return Decimal(number)
    except ArithmeticError:
        raise ValueError(f"{number[:80]} is a number with too long an exponent") from None


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
_EXACT_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_exact)
