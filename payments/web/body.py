"""Reads the JSON of a request."""

from typing import Any

from flask import Request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from payments.strictjson import read_strictly

EVENT_LIMIT, BATCH_LIMIT = 64 * 1024, 1024 * 1024
"""Maximum body sizes in bytes."""


class Malformed(Exception):
    """The body cannot be read as JSON; the message says why."""


class UnsupportedMediaType(Exception):
    """The content type is not JSON."""


def read_json(request: Request, limit: int = EVENT_LIMIT) -> Any:
    """Parse the body of ``request``: UTF-8 JSON of at most ``limit`` bytes.

    Raises ``UnsupportedMediaType``, ``Malformed`` or werkzeug's ``RequestEntityTooLarge``.
    """
    if request.environ.get("CONTENT_TYPE") != "application/json" and request.mimetype != "application/json":
        raise UnsupportedMediaType(f'the body must be "application/json", not "{request.mimetype}"')
    try:
        data = _read(request, limit)
    except (Malformed, HTTPException):
        raise
    except Exception:
        # Each server raises its own errors for a broken connection or bad chunks.
        raise Malformed("the body is incomplete, or its HTTP framing is wrong") from None
    try:
        return read_strictly(data)
    except ValueError as error:
        raise Malformed(f"the body is {error}") from None


def _read(request: Request, limit: int) -> bytes:
    environ = request.environ
    length = environ.get("CONTENT_LENGTH", "")
    if length.isascii() and length.isdigit() and int(length) <= limit:
        # As werkzeug does, without its extra stream.
        data: bytes = environ["wsgi.input"].read(int(length))
        if len(data) < int(length):
            raise Malformed("the body is shorter than its Content-Length")
    else:
        # One byte more than allowed: without a Content-Length, werkzeug silently cuts the body off there.
        request.max_content_length = limit + 1
        data = request.get_data(cache=False)
        if len(data) > limit:
            raise RequestEntityTooLarge
    return data
