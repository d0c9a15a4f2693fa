"""``GET /api/sessions``: order, pages and filters, on sessions of the last hour."""

from pathlib import Path
from typing import Any

import pytest

from payments.clock import now_ms
from tests.harness import HOST_A, HOST_B, Clock, Service, event, file_store
from tests.web.api import Api
from tests.web.helpers import an_event, post_event, walk

HOUR_AGO_MS = now_ms() - 3_600_000

ALL = ["fresh", "stray", "ended-b", "reopened", "stale-b", "stale-a", "ended-a"]
"""Newest first."""


def seed(data: Path) -> None:
    """Six sessions that nobody has heard of for an hour, two of them ended, one opened twice."""
    clock = Clock(HOUR_AGO_MS)
    store = file_store(data, clock=clock)
    for session_id, kind, host, edge in [
        ("reopened", "start", HOST_A, "edge-1"),
        ("ended-a", "start", HOST_A, "edge-1"),
        ("stale-a", "start", HOST_A, "edge-1"),
        ("stale-b", "start", HOST_B, "edge-2"),
        ("reopened", "end", HOST_A, "edge-1"),
        ("ended-a", "end", HOST_A, "edge-1"),
        ("reopened", "start", HOST_B, "edge-2"),
        ("ended-b", "start", HOST_B, "edge-1"),
        ("ended-b", "end", HOST_B, "edge-1"),
        ("stray", "start", "198.51.100.1", None),
    ]:
        clock.now_ms += 1000
        store.execute([event(session_id, kind, clock.now_ms, upstream_addr=host, edge_id=edge)])
    store.close()


@pytest.fixture(scope="module", autouse=True)
def fresh(api: Api) -> None:
    """The newest session of all, and the only one that is heard of."""
    post_event(api, an_event("fresh", upstream_addr=HOST_B, edge_id="edge-3"))


def listed(server: Service, **query: Any) -> list[str]:
    """The ids on the first page."""
    return [session["session_id"] for session in server.get("/api/sessions", **query)["sessions"]]


def test_newest_first_and_a_reopened_session_is_new(api: Api) -> None:
    page = api.get("/api/sessions")
    assert [session["session_id"] for session in page["sessions"]] == ALL
    assert page["next_cursor"] is None
    assert set(page) == {"sessions", "next_cursor"}


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 2000])
def test_cursor_walks_through_all_without_repeats(api: Api, limit: int) -> None:
    walked = [session["session_id"] for session in walk(api, "/api/sessions", limit=limit)]
    assert walked == ALL


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "active"}, ["fresh"]),
        ({"status": "stale"}, ["stray", "reopened", "stale-b", "stale-a"]),
        ({"status": "ended", "edge_id": "edge-1"}, ["ended-b", "ended-a"]),
        ({"active_only": "true"}, ["fresh", "stray", "reopened", "stale-b", "stale-a"]),
        ({"active_only": "1", "status": "ended"}, []),
        ({"orchestrator_id": "orch-b"}, ["ended-b", "reopened", "stale-b"]),
        ({"orchestrator_id": "orch-a", "status": "stale"}, ["stale-a"]),
        ({"orchestrator_id": "nobody"}, []),
        ({"orchestrator_id": ""}, []),
        ({"edge_id": "edge-2"}, ["reopened", "stale-b"]),
        ({"edge_id": "edge-2", "limit": 1}, ["reopened"]),
        ({"unknown_parameter": "x", "edge_id": "edge-3"}, ["fresh"]),
    ],
    ids=str,
)
def test_filters_find_what_they_name(api: Api, query: dict[str, Any], found: list[str]) -> None:
    assert listed(api, **query) == found


def test_active_only_false_is_no_filter(api: Api) -> None:
    assert listed(api, active_only="false") == ALL
