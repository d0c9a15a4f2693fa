"""``GET /api/ledger/events`` and ``/balances``: a small journal, looked at from every side."""

from pathlib import Path
from typing import Any

import pytest

from payments.clock import now_ms
from payments.domain.times import format_time
from tests.harness import HOST_A, HOST_B, Clock, Service, event, file_store
from tests.web.api import Api
from tests.web.helpers import walk

BEGIN_MS = now_ms() // 60_000 * 60_000 - 3_600_000
"""An hour ago, at a full minute."""

STRAY_HOST = "198.51.100.1"


def at(minute: float) -> str:
    return format_time(BEGIN_MS + int(minute * 60_000))


def seed(data: Path) -> None:
    """Nine entries in four minutes: three sessions, one of them nobody's."""
    clock = Clock()
    store = file_store(data, clock=clock)
    for minute, session_id, kind, host in [
        (0, "s-a", "start", HOST_A),
        (1, "s-a", "heartbeat", HOST_A),
        (1, "s-b", "start", HOST_B),
        (2, "s-b", "heartbeat", HOST_B),
        (2, "s-a", "heartbeat", HOST_A),
        (3, "stray", "start", STRAY_HOST),
        (3.5, "stray", "heartbeat", STRAY_HOST),
        (4, "s-b", "end", HOST_B),
        (4, "s-a", "end", HOST_A),
    ]:
        clock.now_ms = BEGIN_MS + int(minute * 60_000)
        fields = {"upstream_addr": host, "upstream_port": 8888, "edge_id": "edge-1", "streamer_id": "streamer-1"}
        store.execute([event(session_id, kind, clock.now_ms, **fields)])
    store.close()


def seqs(server: Service, **query: Any) -> list[int]:
    """The ``seq`` of the entries on the first page."""
    return [entry["seq"] for entry in server.get("/api/ledger/events", **query)["events"]]


def test_entries_come_newest_first(api: Api) -> None:
    page = api.get("/api/ledger/events")
    assert [entry["seq"] for entry in page["events"]] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert set(page) == {"events", "next_cursor"}
    assert page["next_cursor"] is None


def test_credit_has_all_that_explains_it(api: Api) -> None:
    [credit] = api.get("/api/ledger/events", session_id="s-b", reason="session_time", since=at(4))["events"]
    assert credit == {
        "seq": 8,
        "timestamp": at(4),
        "event": "credit",
        "reason": "session_time",
        "orchestrator_id": "orch-b",
        "amount": "0.002",
        "delta": "0.002",
        "balance": "0.003",
        "metadata": {
            "session_id": "s-b",
            "incarnation": 1,
            "edge_id": "edge-1",
            "streamer_id": "streamer-1",
            "upstream_addr": HOST_B,
            "upstream_port": 8888,
            "event": "end",
            "delta_ms": 120_000,
            "interval_start": at(2),
            "interval_end": at(4),
            "rate_eth_per_minute": "0.001",
            "credit_unit": "eth",
        },
    }


def test_entry_that_credits_nothing_has_no_amount_and_says_why(api: Api) -> None:
    [seen] = api.get("/api/ledger/events", session_id="stray", since=at(3.5))["events"]
    assert seen.keys().isdisjoint({"amount", "delta", "balance"})
    assert (seen["event"], seen["orchestrator_id"]) == ("session", None)
    assert (seen["metadata"]["delta_ms"], seen["metadata"]["unbilled_ms"]) == (0, {"unattributed": 30_000})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"orchestrator_id": "orch-a"}, [9, 5, 2, 1]),
        ({"orchestrator_id": "nobody"}, []),
        ({"reason": "session_time"}, [9, 8, 5, 4, 2]),
        ({"reason": "payout"}, []),
        ({"session_id": "s-b"}, [8, 4, 3]),
        ({"session_id": "stray"}, [7, 6]),
        ({"session_id": "S-B"}, []),
        ({"since": at(3)}, [9, 8, 7, 6]),
        ({"until": at(1)}, [1]),
        ({"since": at(1), "until": at(2)}, [3, 2]),
        ({"since": at(1), "until": at(1)}, []),
        ({"since": at(2), "until": at(1)}, []),
        ({"since": at(4).replace("Z", "+00:00")}, [9, 8]),
        ({"since": "2000-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z", "limit": 2}, [9, 8]),
        ({"orchestrator_id": "orch-b", "reason": "session_time", "session_id": "s-b", "until": at(4)}, [4]),
        ({"unknown_parameter": "x", "session_id": "stray"}, [7, 6]),
        ({"cursor": 4}, [3, 2, 1]),
        ({"cursor": 1}, []),
        ({"cursor": 2**63 - 1, "limit": 1}, [9]),
    ],
    ids=str,
)
def test_filters_find_what_they_name(api: Api, query: dict[str, Any], found: list[int]) -> None:
    assert seqs(api, **query) == found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 9, 10, 2000])
@pytest.mark.parametrize(
    ("query", "found"),
    [({}, [9, 8, 7, 6, 5, 4, 3, 2, 1]), ({"reason": "session_time"}, [9, 8, 5, 4, 2]), ({"session_id": "s-x"}, [])],
    ids=["all", "credits", "none"],
)
def test_cursor_walks_through_all_without_repeats(
    api: Api, query: dict[str, Any], found: list[int], limit: int
) -> None:
    walked = [entry["seq"] for entry in walk(api, "/api/ledger/events", limit=limit, **query)]
    assert walked == found


def test_balances_are_what_the_entries_add_up_to(api: Api) -> None:
    assert api.get("/api/ledger/balances") == {
        "balances": [
            {"orchestrator_id": "orch-a", "balance": "0.004", "credit_unit": "eth", "updated_at": at(4), "seq": 9},
            {"orchestrator_id": "orch-b", "balance": "0.003", "credit_unit": "eth", "updated_at": at(4), "seq": 8},
        ]
    }
