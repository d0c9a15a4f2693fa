"""Writes the JSON of answers."""

import json
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider


def to_json(obj: Any) -> bytes:
    """``obj`` as UTF-8 JSON."""
    try:
        return orjson.dumps(obj)
    except TypeError:
        # A lone surrogate, quoted from a request: only an escape can express it.
        return json.dumps(obj).encode()


class Orjson(JSONProvider):
    """Writes answers with orjson. Requests are read by ``payments.web.body``, which is stricter."""

    def response(self, *args: Any, **_: Any) -> Response:
        return Response(to_json(args[0]), content_type="application/json")

    def dumps(self, obj: Any, **_: Any) -> str:
        return to_json(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)
