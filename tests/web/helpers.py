"""Requests as no decent client sends them, and what every answer must look like."""

import json
from collections.abc import Iterable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.harness import HOST_A, Service, WebResponse

EVENTS, BATCH = "/api/sessions/events", "/api/sessions/events/batch"
REGISTER, ORCHESTRATOR = "/api/orchestrators/register", "/api/orchestrators/orch-a"

CALLS = {
    "reporter": [("POST", EVENTS), ("POST", BATCH)],
    "viewer": [
        ("GET", "/api/sessions"),
        ("GET", "/api/sessions/unknown"),
        ("GET", "/api/ledger/events"),
        ("GET", "/api/ledger/balances"),
        ("GET", "/api/orchestrators"),
        ("GET", ORCHESTRATOR),
        ("GET", f"{ORCHESTRATOR}/stats"),
        ("GET", "/api/power"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
    ],
    "admin": [
        ("POST", "/api/ledger/adjustments"),
        ("POST", "/api/ledger/payouts"),
        ("POST", REGISTER),
        ("PATCH", ORCHESTRATOR),
    ],
    "anyone": [("GET", "/healthz"), ("GET", "/readyz")],
}
"""Method and path of every call, by who may make it."""

STATUSES = {
    "malformed": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "conflict": 409,
    "too-large": 413,
    "unsupported-media-type": 415,
    "invalid": 422,
    "unavailable": 503,
}
"""The stable part of every problem's ``type``, and its status: the contract with clients."""


def send(
    server: Service,
    method: str,
    target: str,
    body: bytes | Iterable[bytes] | None = None,
    *,
    token: str | None = None,
    **headers: str,
) -> WebResponse:
    """One request with ``target`` exactly as given; chunked if ``body`` is in pieces. ``x_y`` is header ``x-y``.

    A body is declared as JSON unless ``content_type`` says otherwise (nothing: not declared).
    """
    if body is not None:
        headers.setdefault("content_type", "application/json")
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    named = {name.replace("_", "-"): value for name, value in headers.items() if value}
    return server.exchange(method, target, body, named)


def post_event(server: Service, item: Any, path: str = EVENTS) -> WebResponse:
    """POST ``item`` as JSON, with the reporter's token."""
    return send(server, "POST", path, json.dumps(item).encode(), token=server.REPORTER)


def post_admin(server: Service, method: str, path: str, item: Any) -> WebResponse:
    """An admin call with ``item`` as JSON."""
    return send(server, method, path, json.dumps(item).encode(), token=server.ADMIN)


def an_event(session_id: str, kind: str = "start", **fields: Any) -> dict[str, Any]:
    """A sound event; on ``HOST_A`` unless told otherwise."""
    return {"session_id": session_id, "event": kind, "upstream_addr": HOST_A, **fields}


def scrape(server: Service) -> str:
    """What ``/metrics`` answers."""
    answer = send(server, "GET", "/metrics", token=server.VIEWER)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.body.decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """A scrape as Prometheus reads it, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def walk(server: Service, path: str, **query: Any) -> list[Any]:
    """What is on all the pages of a list, one after the other; fails rather than go round in circles."""
    items: list[Any] = []
    cursors: set[str | None] = set()
    while None not in cursors:
        page = server.get(path, **query)
        query["cursor"] = page.pop("next_cursor")
        assert query["cursor"] not in cursors
        cursors.add(query["cursor"])
        [found] = page.values()
        assert len(found) <= query.get("limit", 200)
        items += found
    return items


def check_problem(answer: WebResponse, kind: str) -> Any:
    """Assert that ``answer`` is the RFC 9457 problem ``kind``, whole and well-formed; return it."""
    assert answer.headers["content-type"] == "application/problem+json", answer
    problem = answer.json()
    assert problem["type"] == f"urn:payments:problem:{kind}", problem
    assert answer.status == problem["status"] == STATUSES[kind]
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "request_id"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    if kind == "unauthenticated":
        assert answer.headers["www-authenticate"].startswith("Bearer ")
    if kind == "unavailable":
        assert int(answer.headers["retry-after"]) > 0
    if kind == "method-not-allowed":
        assert answer.headers["allow"]
    return problem


def wrong_fields(answer: WebResponse) -> list[str]:
    """The fields that a 422 or 409 names, each with a complaint."""
    problem = check_problem(answer, "invalid" if answer.status == 422 else "conflict")
    assert all(error["detail"] for error in problem["errors"])
    return [error["field"] for error in problem["errors"]]
