"""Addresses and methods that do not exist, and requests that are odd before their body is looked at."""

import json

import pytest

from tests.web.api import Api
from tests.web.helpers import BATCH, EVENTS, ORCHESTRATOR, REGISTER, check_problem, send

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
    f"{ORCHESTRATOR}/stats": {"GET", "HEAD"},
    "/api/ledger/adjustments": {"POST"},
    "/api/ledger/payouts": {"POST"},
    "/api/orchestrators": {"GET", "HEAD"},
    "/api/power": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
    "/openapi.json": {"GET", "HEAD"},
    "/docs": {"GET", "HEAD"},
    "/healthz": {"GET", "HEAD"},
    "/readyz": {"GET", "HEAD"},
}
"""Sessions may be called "events" and orchestrators "register", so these can be asked for too."""


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for path, allowed in ALLOWED.items() for method in METHODS if method not in {"HEAD", *allowed}],
)
def test_other_methods_are_not_allowed(api: Api, method: str, path: str) -> None:
    answer = send(api, method, path, token=api.ADMIN)
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
def test_other_addresses_are_not_found(api: Api, path: str) -> None:
    check_problem(send(api, "GET", path, token=api.ADMIN), "not-found")
    check_problem(send(api, "POST", path, b"{}", token=api.ADMIN), "not-found")


@pytest.mark.parametrize("path", [path for path in ALLOWED if "GET" in ALLOWED[path] and path != "/api/sessions/s-1"])
def test_head_is_get_without_a_body(api: Api, path: str) -> None:
    get = send(api, "GET", path, token=api.VIEWER)
    head = send(api, "HEAD", path, token=api.VIEWER)
    assert (head.status, head.headers["content-type"], head.body) == (get.status, get.headers["content-type"], b"")


def test_answers_are_json(api: Api) -> None:
    for path in ("/healthz", "/readyz", "/api/sessions", "/api/ledger/events", "/api/ledger/balances"):
        answer = send(api, "GET", path, token=api.VIEWER)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert isinstance(json.loads(answer.body), dict)


def test_health_and_readiness_are_open_and_say_ok(api: Api) -> None:
    assert send(api, "GET", "/healthz").json() == {"status": "ok"}
    ready = send(api, "GET", "/readyz").json()
    assert (ready["status"], ready["registry"]["problem"]) == ("ok", None)
