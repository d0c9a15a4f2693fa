"""For every request: its id in the answer, its time in the metrics, and a log line if it failed."""

import logging
import random
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from payments.clock import monotonic_s
from payments.errors import Corrupt
from payments.web.meters import observe_request
from payments.web.routes import openapi_path

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
UNMATCHED = "unmatched"
"""Label of requests that match no route or method: a client could put any text there."""

_ID, _FAILURE = "payments.request_id", "payments.failure"
_is_usable_id = re.compile(r"[!-~]{1,64}").fullmatch


def trace_requests(app: Flask) -> None:
    """Wrap ``app``. Flask's own hooks take three times as long for every event."""
    wsgi_app = app.wsgi_app

    def traced(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started_s = monotonic_s()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        identifier = environ[_ID] = given if _is_usable_id(given) else f"{random.getrandbits(64):016x}"

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
            headers.append((HEADER, identifier))
            _finish(environ, int(status[:3]), monotonic_s() - started_s)
            return start_response(status, headers, *rest)

        return wsgi_app(environ, start)

    app.wsgi_app = traced  # type: ignore[method-assign]


def request_id() -> str:
    """The id of the current request: the client's, if usable, else a random one."""
    found: str = request.environ[_ID]
    return found


def set_failure(error: Exception) -> None:
    """Keep ``error``, the cause of the current request's failure, for its log line."""
    request.environ[_FAILURE] = error


def _finish(environ: "WSGIEnvironment", status: int, seconds: float) -> None:
    rule = environ["werkzeug.request"].url_rule
    method, route = (environ["REQUEST_METHOD"], rule.rule) if rule is not None else ("any", UNMATCHED)
    observe_request(method, route, status, seconds)
    if status >= 500:
        details = {"method": method, "route": openapi_path(route), "status": status, "seconds": round(seconds, 6)}
        _report(environ.get(_FAILURE), {"request_id": environ[_ID], "client": environ["REMOTE_ADDR"], **details})


def _report(failure: Exception | None, details: dict[str, object]) -> None:
    """Log one line: CRITICAL for damage, else ERROR; with a traceback for a defect of Payments."""
    level = logging.CRITICAL if isinstance(failure, Corrupt) else logging.ERROR
    reason, bug = (failure, None) if details["status"] == 503 else ("PAY-A02 a defect in Payments", failure)
    log.log(level, "%d: %s", details["status"], reason, exc_info=bug, extra=details)
