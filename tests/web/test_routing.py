"""Addresses and methods that do not exist, and requests that are odd before their body is looked at."""

import json

import pytest

from tests.harness import Server
from tests.web.helpers import BATCH, EVENTS, ORCHESTRATOR, REGISTER, check_problem, send, send_raw

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]

ALLOWED = {
    EVENTS: {"GET", "HEAD", "POST"},
    BATCH: {"GET", "HEAD", "POST"},
    "/api/sessions": {"GET", "HEAD"},
    "/api/sessions/s-1": {"GET", "HEAD"},
    "/api/ledger/events": {"GET", "HEAD"},
    "/api/ledger/balances": {"GET", "HEAD"},
    REGISTER: {"GET", "HEAD", "POST", "PATCH"},
    ORCHESTRATOR: {"GET", "HEAD", "PATCH"},
    "/api/orchestrators": {"GET", "HEAD"},
    "/api/power": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
    "/healthz": {"GET", "HEAD"},
    "/readyz": {"GET", "HEAD"},
}
"""Sessions may be called "events" and orchestrators "register", so these can be asked for too."""


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for path, allowed in ALLOWED.items() for method in METHODS if method not in allowed],
)
def test_other_methods_are_not_allowed(shared_server: Server, method: str, path: str) -> None:
    answer = send(shared_server, method, path, token=shared_server.ADMIN)
    check_problem(answer, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == ALLOWED[path] | {"OPTIONS"}


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api", "/api/", "/api/session", "/api/sessions/", "/api/ledger", "/api/ledger/events/", "/healthz/",
        "/api//sessions", "/api/orchestrators/", "/api/orchestrators/a/b", "/favicon.ico", "/../etc/passwd",
        "/static/x", "/%00", "/%ff%fe", "/%2e%2e/", "/" + "x" * 3000, "/API/SESSIONS", "/healthz;x=1",
    ],
)  # fmt: skip
def test_other_addresses_are_not_found(shared_server: Server, path: str) -> None:
    check_problem(send(shared_server, "GET", path, token=shared_server.ADMIN), "not-found")
    check_problem(send(shared_server, "POST", path, b"{}", token=shared_server.ADMIN), "not-found")


@pytest.mark.parametrize("path", [path for path in ALLOWED if path != "/api/sessions/s-1"])
def test_head_is_get_without_a_body(shared_server: Server, path: str) -> None:
    get = send(shared_server, "GET", path, token=shared_server.VIEWER)
    head = send(shared_server, "HEAD", path, token=shared_server.VIEWER)
    assert (head.status, head.headers["content-type"], head.body) == (get.status, get.headers["content-type"], b"")


def test_answers_are_json(shared_server: Server) -> None:
    for path in ("/healthz", "/readyz", "/api/sessions", "/api/ledger/events", "/api/ledger/balances"):
        answer = send(shared_server, "GET", path, token=shared_server.VIEWER)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert isinstance(json.loads(answer.body), dict)


def test_health_and_readiness_are_open_and_say_ok(shared_server: Server) -> None:
    assert send(shared_server, "GET", "/healthz").json() == {"status": "ok"}
    ready = send(shared_server, "GET", "/readyz").json()
    assert (ready["status"], ready["registry"]["problem"]) == ("ok", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x" * 300), ("Host", "a b"), ("Host", ""), ("Host", "[::"), ("Host", "h:99999"), ("Host", "..."),
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Accept", "text/html"), ("Accept-Encoding", "\xff"),
        ("Cookie", "a=\x80; =; ;;"), ("Range", "bytes=0-"), ("X-Forwarded-For", "\xff, x"), ("X-Forwarded-Host", "/"),
        ("X-HTTP-Method-Override", "DELETE"), ("SCRIPT_NAME", "/foo"), ("PATH_INFO", "/foo"), ("Script-Name", "/foo"),
        ("REMOTE_USER", "admin"), ("Content-Encoding", "gzip"), ("Expect", "100-continue"), ("Date", "yesterday"),
    ],
)  # fmt: skip
def test_odd_headers_do_no_harm(shared_server: Server, name: str, value: str) -> None:
    """A header that a client makes up is ignored, or at worst the request is refused as malformed."""
    answer = send_raw(shared_server, "GET", "/healthz", None, {name: value})
    if answer.status == 200:
        assert answer.json() == {"status": "ok"}
    else:
        check_problem(answer, "malformed")


def test_asking_for_a_websocket_is_malformed(shared_server: Server) -> None:
    answer = send(shared_server, "GET", "/healthz", connection="Upgrade", upgrade="websocket")
    check_problem(answer, "malformed")
