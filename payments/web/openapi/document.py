"""The OpenAPI 3.1 document."""

import re
from functools import cache
from importlib.metadata import version
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields

from payments.events import EventSchema
from payments.fields import Strict
from payments.web.openapi.answers import SCHEMAS
from payments.web.openapi.calls import ADMIN, ANYONE, CALLS, PARAMETERS, REPORTER, VIEWER, Call
from payments.web.problems import KINDS
from payments.web.routes import openapi_path
from payments.web.schemas import AdjustmentSchema, ChangeSchema, PayoutSchema
from payments.web.sessions import BATCH_EVENTS

from payments.registry import RecordSchema  # isort: skip

_ABOUT = """Credits the people who run game hosts for Pixel Streaming.

Times are RFC 3339, in UTC with milliseconds; amounts are exact decimal strings in ETH; durations are whole
milliseconds. Answers may get more members: ignore unknown ones. Text has printable characters only; whole numbers have
no decimal point. An `X-Request-ID` of the caller is repeated in the answer and in the log. Viewer calls are open while
neither viewer nor admin tokens are configured, reporter calls while no reporter token is; admin calls are closed until
an admin token is configured. Without a valid token the answer is 401; with a token for other calls only, 403."""

_PAYLOADS = {
    "Event": EventSchema,
    "Record": RecordSchema,
    "Change": ChangeSchema,
    "Adjustment": AdjustmentSchema,
    "Payout": PayoutSchema,
}
_SCHEMES = {
    "reporter": {"type": "apiKey", "in": "header", "name": "X-Session-Token", "description": "For edges."},
    "admin": {"type": "apiKey", "in": "header", "name": "X-Admin-Token", "description": "For viewers and admins."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "For all roles: the same tokens."},
}
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    REPORTER: [{"reporter": []}, {"bearer": []}],
    VIEWER: [{"admin": []}, {"bearer": []}],
    ADMIN: [{"admin": []}, {"bearer": []}],
    ANYONE: [],
}
_REQUEST_ID = {
    "X-Request-ID": {
        "description": "Id of the request.",
        "schema": {"type": "string", "maxLength": 64},
        "required": True,
    }
}
_HEADERS: dict[str, dict[str, Any]] = {
    "unauthenticated": {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    "unavailable": {
        "Retry-After": {
            "description": "Seconds.",
            "schema": {"type": "integer", "minimum": 1},
            "required": True,
        }
    },
    "method-not-allowed": {"Allow": {"schema": {"type": "string"}, "required": True}},
}


@cache
def document() -> dict[str, Any]:
    """The whole document, for ``json.dumps``. Do not change it."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        "Payments",
        version("pixel-streaming-payments"),
        "3.1.0",
        plugins=[plugin],
        info={"description": _ABOUT},
        security=[],
    )
    assert plugin.converter is not None
    plugin.converter.add_attribute_function(_shape)  # type: ignore[no-untyped-call]
    for name, scheme in _SCHEMES.items():
        spec.components.security_scheme(name, scheme)
    for name, schema in _PAYLOADS.items():
        spec.components.schema(name, schema=schema)
    for name, shape in SCHEMAS.items():
        spec.components.schema(name, shape)
    for name, (_, title) in KINDS.items():
        spec.components.response(name, _problem_answer(name, f"{title}."))
    for call in CALLS:
        spec.path(openapi_path(call.path), operations={call.method.lower(): _operation(call)})
    return spec.to_dict()


def _shape(_: OpenAPIConverter, field: fields.Field[Any], **__: Any) -> dict[str, Any]:
    """Schema of our own fields, and of marshmallow's booleans in a query string, which apispec does not know."""
    if isinstance(field, fields.Boolean):
        words = sorted(str(word) for word in field.truthy | field.falsy if isinstance(word, str))
        return {"type": "string", "enum": words, "default": "false"}
    if not isinstance(field, Strict):
        return {}
    shape = dict(field.shape())
    if field.allow_none:
        shape["type"] = [shape["type"], "null"]
    return shape


def _operation(call: Call) -> dict[str, Any]:
    path_parameters = [
        {"in": "path", "name": name, "required": True, **PARAMETERS[name]} for name in re.findall(r"(\w+)>", call.path)
    ]
    operation: dict[str, Any] = {
        "operationId": f"{call.method.lower()}{re.sub(r'[^a-z]+', '_', call.path).rstrip('_')}",
        "summary": call.summary,
        "tags": [call.role],
        "security": _SECURITY[call.role],
        "parameters": [*path_parameters, *([{"in": "query", "schema": call.query}] if call.query else [])],
        "responses": {"200": _answer(call), **_problems(call)},
    }
    if call.created:
        operation["responses"]["201"] = {**_answer(call), "description": "Created."}
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _payload(call)}}}
    return operation


def _answer(call: Call) -> dict[str, Any]:
    if call.answer in SCHEMAS:
        media, shape = "application/json", {"$ref": f"#/components/schemas/{call.answer}"}
    else:
        media, shape = call.answer, {"type": "object" if call.answer == "application/json" else "string"}
    return {"description": "Success.", "headers": _REQUEST_ID, "content": {media: {"schema": shape}}}


def _problems(call: Call) -> dict[str, Any]:
    return {
        str(kind.status): {"$ref": f"#/components/responses/{name}"}
        for name, kind in KINDS.items()
        if name in call.kinds
    }


def _problem_answer(name: str, text: str) -> dict[str, Any]:
    shape = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": text,
        "headers": {**_REQUEST_ID, **_HEADERS.get(name, {})},
        "content": {"application/problem+json": {"schema": shape}},
    }


def _payload(call: Call) -> dict[str, Any]:
    [name] = [name for name, schema in _PAYLOADS.items() if schema is call.body]
    reference = {"$ref": f"#/components/schemas/{name}"}
    if not call.batch:
        return reference
    # Each item is checked on its own, so an invalid item does not make the array invalid.
    return {"type": "array", "maxItems": BATCH_EVENTS, "items": {"anyOf": [reference, {}]}}
