"""Reading a request's JSON, more strictly than ``json.loads``."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from flask import Request

EVENT_LIMIT = 64 * 1024
BATCH_LIMIT = 1024 * 1024


class Malformed(Exception):
    """The body is not the JSON that this API reads; the message says why."""


class UnsupportedMediaType(Exception):
    """The body is not declared as JSON."""


def read_json(request: Request, limit: int = EVENT_LIMIT) -> Any:
    """The value in the body of ``request``, at most ``limit`` bytes of UTF-8 JSON.

    Raises ``UnsupportedMediaType``, ``Malformed`` and werkzeug's ``RequestEntityTooLarge``. Duplicate keys are refused:
    which of the two a reader takes is anybody's guess. So are ``NaN`` and its like, which are not JSON.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(f'the body must be "application/json", not "{request.mimetype}"')
    request.max_content_length = limit
    data = request.get_data(cache=False)
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {error}") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {doubled!a} stands twice in one object")
    return items


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
