"""``POST /api/sessions/events``: what comes back, what is recorded, and where it shows."""

import json
import time
from typing import Any

import pytest

from payments.domain.money import format_eth
from payments.domain.times import parse_time
from tests.harness import HOST_A, HOST_B, Service, until
from tests.web.api import Api
from tests.web.helpers import an_event, post_event

REQUIRED = {
    "session_id", "incarnation", "orchestrator_id", "upstream_addr", "upstream_port", "edge_id", "streamer_id",
    "status", "started_at", "last_seen_at", "last_event", "last_billed_at", "ended_at", "end_reason", "billed_ms",
    "billed_eth", "last_credited_eth", "unbilled_ms", "heartbeat_count",
}  # fmt: skip
"""The fields of a session record."""


@pytest.fixture(scope="module", autouse=True)
def orchestrators(api: Api) -> None:
    """``orch-a`` on ``HOST_A`` and ``orch-b`` on ``HOST_B``."""
    api.register("orch-a", HOST_A)
    api.register("orch-b", HOST_B)


def report(server: Service, **fields: Any) -> Any:
    answer = post_event(server, fields)
    assert answer.status == 200, answer
    return answer.json()


def in_file(server: Service, session_id: str) -> Any:
    """The session's record in ``sessions.json``."""
    document = json.loads((server.data / "sessions.json").read_bytes())
    return next((each for each in document["sessions"] if each["session_id"] == session_id), None)


def pass_a_moment(record: Any) -> None:
    """Wait until the server's clock has moved on from the record's last event."""
    while time.time_ns() // 1_000_000 <= parse_time(record["last_seen_at"]) + 2:
        time.sleep(0.001)


def test_start_answers_with_the_whole_record(api: Api) -> None:
    answer = report(
        api, session_id="whole", event="start", upstream_addr="::ffff:203.0.113.10", upstream_port=8888,
        edge_id="edge-a", streamer_id="streamer-a", event_id="id-1", seq=1,
    )  # fmt: skip
    assert answer.keys() >= REQUIRED | {"outcome"}
    begun = answer["started_at"]
    assert {name: answer[name] for name in REQUIRED} == {
        "session_id": "whole",
        "incarnation": 1,
        "orchestrator_id": "orch-a",
        "upstream_addr": HOST_A,
        "upstream_port": 8888,
        "edge_id": "edge-a",
        "streamer_id": "streamer-a",
        "status": "active",
        "started_at": begun,
        "last_seen_at": begun,
        "last_event": "start",
        "last_billed_at": begun,
        "ended_at": None,
        "end_reason": None,
        "billed_ms": 0,
        "billed_eth": "0",
        "last_credited_eth": "0",
        "unbilled_ms": {},
        "heartbeat_count": 0,
    }
    assert len(begun) == len("2026-01-31T12:00:00.000Z")
    assert answer["outcome"] == "recorded"


def test_events_bill_to_the_wei_until_the_end(api: Api) -> None:
    record = report(api, **an_event("billed"))
    for kind in ("heartbeat", "heartbeat", "end"):
        pass_a_moment(record)
        record = report(api, **an_event("billed", kind))
    elapsed_ms = parse_time(record["last_billed_at"]) - parse_time(record["started_at"])
    assert record["billed_ms"] == elapsed_ms > 0
    assert record["billed_eth"] == format_eth(10**15 * elapsed_ms // 60_000)
    assert (record["status"], record["end_reason"], record["heartbeat_count"]) == ("ended", "end", 2)
    assert record["ended_at"] == record["last_billed_at"]
    entries = api.get("/api/ledger/events", session_id="billed", reason="session_time")["events"]
    assert sum(entry["metadata"]["delta_ms"] for entry in entries) == elapsed_ms
    account = api.get("/api/sessions/billed")["account"]
    assert account == {
        "from": record["started_at"], "to": record["last_billed_at"],
        "elapsed_ms": elapsed_ms, "billed_ms": elapsed_ms, "unbilled_ms": {},
    }  # fmt: skip


def test_event_defaults_to_heartbeat(api: Api) -> None:
    record = report(api, session_id="silent", upstream_addr=HOST_A)
    assert (record["last_event"], record["heartbeat_count"]) == ("heartbeat", 1)


def test_known_session_needs_no_address(api: Api) -> None:
    report(api, **an_event("known", upstream_port=1, edge_id="edge-a"))
    record = report(api, session_id="known")
    assert (record["upstream_addr"], record["upstream_port"], record["edge_id"]) == (HOST_A, 1, "edge-a")


def test_unknown_fields_are_ignored(api: Api) -> None:
    record = report(api, **an_event("newer-edge"), codec="h264", client={"ip": [1, None]})
    assert record.keys().isdisjoint({"codec", "client"})
    assert record["outcome"] == "recorded"


@pytest.mark.parametrize("claimed", ["orch-b", None, 5, {}])
def test_orchestrator_id_of_an_edge_is_ignored(api: Api, claimed: Any) -> None:
    record = report(api, **an_event(f"claimed-{claimed}", orchestrator_id=claimed))
    assert record["orchestrator_id"] == "orch-a"


def test_unattributed_session_is_recorded_and_earns_from_its_first_event_after_the_registration(
    api: Api,
) -> None:
    record = report(api, **an_event("stray", upstream_addr="198.51.100.1"))
    assert record["orchestrator_id"] is None
    pass_a_moment(record)
    api.register("orch-late", "198.51.100.1")
    record = report(api, **an_event("stray", "heartbeat", upstream_addr="198.51.100.1"))
    unattributed = record["unbilled_ms"]
    assert (record["orchestrator_id"], record["billed_ms"], set(unattributed)) == ("orch-late", 0, {"unattributed"})
    pass_a_moment(record)
    record = report(api, **an_event("stray", "end", upstream_addr="198.51.100.1"))
    assert record["unbilled_ms"] == unattributed
    assert record["billed_ms"] > 0


def test_outcomes_tell_recorded_duplicate_and_late_apart(api: Api) -> None:
    events = [
        (an_event("outcomes", "start", event_id="id-1", seq=1), "recorded"),
        (an_event("outcomes", "start", event_id="id-1", seq=1), "duplicate"),
        (an_event("outcomes", "heartbeat", event_id="id-2", seq=1), "late"),
        (an_event("outcomes", "heartbeat", event_id="id-3", seq=2), "recorded"),
        (an_event("outcomes", "end", event_id="id-4", seq=3), "recorded"),
        (an_event("outcomes", "end", event_id="id-5", seq=4), "duplicate"),
        (an_event("outcomes", "heartbeat", event_id="id-6", seq=5), "late"),
        (an_event("outcomes", "start", event_id="id-7", seq=6), "recorded"),
    ]
    assert [report(api, **event)["outcome"] for event, _ in events] == [outcome for _, outcome in events]
    assert api.get("/api/sessions/outcomes")["incarnation"] == 2
    assert len(api.get("/api/ledger/events", session_id="outcomes")["events"]) == 4


def test_duplicate_gets_the_same_answer(api: Api) -> None:
    event = an_event("again", "heartbeat", event_id="id-1")
    first = report(api, **event)
    assert report(api, **event) == {**first, "outcome": "duplicate"}


def test_sessions_json_soon_shows_an_event(api: Api) -> None:
    for number in range(3):
        for kind in ("start", "heartbeat", "end"):
            record = report(api, **an_event(f"shown-{number}", kind))
            record.pop("outcome")
            until(lambda: in_file(api, f"shown-{number}") == record)  # noqa: B023 - called at once
