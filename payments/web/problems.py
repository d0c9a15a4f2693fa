"""Errors as RFC 9457 problem details (rule 7.1), and the only place that gives errors their HTTP status."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import Flask, Response, current_app
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from payments.errors import Corrupt, Rejected, Unavailable
from payments.web.body import Malformed, UnsupportedMediaType
from payments.web.tokens import Forbidden, Unauthenticated
from payments.web.trace import request_id, set_failure


class ProblemKind(NamedTuple):
    """What a ``type`` means; both are stable, clients may rely on them."""

    status: int
    title: str


KINDS = {
    "malformed": ProblemKind(400, "The request cannot be read"),
    "unauthenticated": ProblemKind(401, "A valid token is required"),
    "forbidden": ProblemKind(403, "Not allowed"),
    "not-found": ProblemKind(404, "Not found"),
    "method-not-allowed": ProblemKind(405, "Method not allowed"),
    "conflict": ProblemKind(409, "Conflict with what is recorded"),
    "too-large": ProblemKind(413, "The body is too large"),
    "unsupported-media-type": ProblemKind(415, "Unsupported content type"),
    "invalid": ProblemKind(422, "Fields are missing or wrong"),
    "internal": ProblemKind(500, "Internal error"),
    "unavailable": ProblemKind(503, "Unavailable; try again later"),
}

Fields = Mapping[str, Sequence[str]]


def problem(kind: str, detail: str, fields: Fields | None = None) -> dict[str, Any]:
    """The problem object; ``errors`` names every wrong field."""
    status, title = KINDS[kind]
    body = {"type": f"urn:payments:problem:{kind}", "title": title, "status": status, "detail": detail}
    if fields:
        body["errors"] = [{"field": name, "detail": " ".join(messages)} for name, messages in sorted(fields.items())]
    return body


def rejection(error: Rejected | ValidationError) -> dict[str, Any]:
    """The problem object for a request that was read but cannot be carried out."""
    if isinstance(error, Rejected):
        return problem(error.kind, str(error), error.fields)
    fields = field_errors(error)
    return problem("invalid", f"see errors: {', '.join(sorted(fields))}", fields)


def field_errors(error: ValidationError) -> dict[str, list[str]]:
    """Messages by field; those about the whole request are under ``body``."""
    if not isinstance(error.messages, dict):
        return {"body": [str(message) for message in error.messages]}
    return {
        "body" if name == "_schema" else str(name): [str(message) for message in messages]
        for name, messages in error.messages.items()
    }


def handle_errors(app: Flask) -> None:
    """Register an answer for everything that a view can raise."""
    app.register_error_handler(Rejected, lambda error: _answer(rejection(error)))
    app.register_error_handler(ValidationError, lambda error: _answer(rejection(error)))
    app.register_error_handler(Malformed, lambda error: _answer(problem("malformed", str(error))))
    app.register_error_handler(Forbidden, lambda error: _answer(problem("forbidden", str(error))))
    app.register_error_handler(
        UnsupportedMediaType, lambda error: _answer(problem("unsupported-media-type", str(error)))
    )
    app.register_error_handler(Unauthenticated, _unauthenticated)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(Unavailable, _unavailable)
    app.register_error_handler(Corrupt, _corrupt)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _internal)


def _answer(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    data = current_app.json.dumps({**body, "request_id": request_id()})
    return Response(data, body["status"], headers, content_type="application/problem+json")


def _unauthenticated(error: Unauthenticated) -> Response:
    return _answer(problem("unauthenticated", str(error)), {"WWW-Authenticate": 'Bearer realm="payments"'})


def _too_large(_: RequestEntityTooLarge) -> Response:
    return _answer(problem("too-large", "the limit is 64 KiB for an event, 1 MiB for a batch"))


def _unavailable(error: Unavailable) -> Response:
    set_failure(error)
    return _answer(problem("unavailable", str(error)), {"Retry-After": str(error.retry_after_s)})


def _corrupt(error: Corrupt) -> Response:
    set_failure(error)
    return _answer(problem("unavailable", str(error)), {"Retry-After": "60"})


def _http(error: HTTPException) -> Response:
    known = {kind.status: name for name, kind in KINDS.items()}
    name = known.get(error.code or 500, "malformed")
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return _answer(problem(name, error.description or ""), headers)


def _internal(error: Exception) -> Response:
    set_failure(error)
    return _answer(problem("internal", "a defect in Payments; its log has the details"))
