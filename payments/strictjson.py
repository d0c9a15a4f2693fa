"""Strict JSON (RFC 8259) for input from outside (rule 7.2).

Unlike ``json.loads`` it refuses duplicate names, because readers differ in which one they use; ``NaN`` and the like,
which are not JSON; encodings other than UTF-8; and nesting that exhausts the stack.
"""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

import orjson


def read_strictly(data: bytes) -> Any:
    """The value in ``data``. Raises ``ValueError``, which says what is wrong."""
    try:
        value = orjson.loads(data)
        # Fast path, a quarter of the time: if the value encodes to the same bytes, there is no duplicate name.
        if orjson.dumps(value) == data:
            return value
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        # orjson reads nesting deeper than 254, but does not write it.
        pass
    return _decode(_DECODER, data)


def read_exactly(data: bytes) -> Any:
    """As ``read_strictly``, but numbers with a point or an exponent become exact ``Decimal`` values."""
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
