"""``POST /api/sessions/events/batch``: every item on its own, in order."""

from typing import Any, NamedTuple

import pytest

from payments.clock import now_ms
from payments.domain.times import format_time
from tests.harness import HOST_A, Service
from tests.web.api import Api
from tests.web.helpers import BATCH, an_event, post_event, wrong_fields

FIELDS = {
    "session_id", "outcome", "incarnation", "orchestrator_id", "status", "billed_ms", "billed_eth", "last_credited_eth",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def orchestrators(api: Api) -> None:
    api.register("orch-a", HOST_A)


def report(server: Service, items: list[Any]) -> list[dict[str, Any]]:
    """The results of a batch, one per item."""
    answer = post_event(server, items, BATCH)
    assert answer.status == 200, answer
    results: list[dict[str, Any]] = answer.json()["results"]
    assert len(results) == len(items)
    return results


def last_seq(server: Service) -> int:
    return max((entry["seq"] for entry in server.get("/api/ledger/events", limit=1)["events"]), default=0)


def test_results_come_in_the_order_of_the_items(api: Api) -> None:
    names = [f"ordered-{number}" for number in (3, 1, 2, 9, 0)]
    results = report(api, [an_event(name) for name in names])
    assert [result["session_id"] for result in results] == names
    opened = [api.get(f"/api/sessions/{name}")["opened_seq"] for name in names]
    assert opened == list(range(opened[0], opened[0] + 5))


def test_items_of_one_session_follow_each_other(api: Api) -> None:
    # Too late to be credited, and not so late that the session might have been forgotten.
    begun_ms = now_ms() - 2 * 86_400_000
    at = [format_time(begun_ms + later_ms) for later_ms in (0, 15_000, 30_000)]
    kinds = ["start", "heartbeat", "end"]
    results = report(api, [an_event("followed", kind, occurred_at=when) for kind, when in zip(kinds, at, strict=True)])
    assert [(result["status"], result["outcome"]) for result in results] == [
        ("active", "recorded"),
        ("active", "recorded"),
        ("ended", "recorded"),
    ]
    session = api.get("/api/sessions/followed")
    assert (session["account"]["elapsed_ms"], session["unbilled_ms"]) == (30_000, {"expired": 30_000})


def test_result_says_what_the_session_has_become(api: Api) -> None:
    [result] = report(api, [an_event("short")])
    assert result == {
        "session_id": "short",
        "outcome": "recorded",
        "incarnation": 1,
        "orchestrator_id": "orch-a",
        "status": "active",
        "billed_ms": 0,
        "billed_eth": "0",
        "last_credited_eth": "0",
    }


class BadItem(NamedTuple):
    """An item that is refused, and how its result says so."""

    item: Any
    session_id: str | None
    kind: str
    named: list[str]


BAD_ITEMS = {
    "null": BadItem(None, None, "invalid", ["body"]),
    "number": BadItem(1, None, "invalid", ["body"]),
    "text": BadItem("start", None, "invalid", ["body"]),
    "list": BadItem([an_event("inner")], None, "invalid", ["body"]),
    "no-fields": BadItem({}, None, "invalid", ["session_id"]),
    "id-of-another-type": BadItem({"session_id": 1, "seq": "x"}, None, "invalid", ["seq", "session_id"]),
    "several-fields": BadItem(an_event("bad", "stop", seq=-1), "bad", "invalid", ["event", "seq"]),
    "lone-surrogate": BadItem(an_event("bad", upstream_addr="\ud800"), "bad", "invalid", ["upstream_addr"]),
    "no-address": BadItem({"session_id": "bad"}, "bad", "invalid", ["upstream_addr"]),
    "used-event-id": BadItem(an_event("taken", "end", event_id="id-1"), "taken", "conflict", ["event_id"]),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_good_items_are_kept_whatever_the_others_are(api: Api, name: str) -> None:
    bad = BAD_ITEMS[name]
    post_event(api, an_event("taken", event_id="id-1"))
    first, refused, last = report(api, [an_event(f"{name}-1"), bad.item, an_event(f"{name}-2")])
    assert set(refused) == {"session_id", "problem"}
    assert refused["session_id"] == bad.session_id
    assert refused["problem"]["type"] == f"urn:payments:problem:{bad.kind}"
    assert [error["field"] for error in refused["problem"]["errors"]] == bad.named
    for number, kept in ((1, first), (2, last)):
        assert set(kept) == FIELDS
        assert kept["outcome"] == "recorded"
        assert api.get(f"/api/sessions/{name}-{number}")["session_id"] == kept["session_id"]


def test_duplicates_within_a_batch_are_told_apart(api: Api) -> None:
    event = an_event("twice", event_id="id-1")
    results = report(api, [event, event, {**event, "event": "end"}, an_event("twice", "end", event_id="id-2")])
    said = [result.get("outcome") or result["problem"]["status"] for result in results]
    assert said == ["recorded", "duplicate", 409, "recorded"]


def test_the_same_batch_again_records_nothing(api: Api) -> None:
    batch = [an_event(f"resent-{number}", event_id="id-1") for number in range(20)]
    first, before = report(api, batch), last_seq(api)
    assert report(api, batch) == [{**result, "outcome": "duplicate"} for result in first]
    assert last_seq(api) == before


def test_a_thousand_events_are_taken_and_one_more_is_not(api: Api) -> None:
    batch = [an_event(f"many-{number}") for number in range(1000)]
    before = last_seq(api)
    assert wrong_fields(post_event(api, [*batch, an_event("many-1000")], BATCH)) == ["body"]
    assert last_seq(api) == before
    assert {result["outcome"] for result in report(api, batch)} == {"recorded"}
    assert last_seq(api) == before + 1000


def test_empty_batch_has_no_results(api: Api) -> None:
    assert report(api, []) == []


@pytest.mark.parametrize("body", [{}, None, 1, "x", True, an_event("single"), {"events": []}], ids=repr)
def test_what_is_no_array_is_refused(api: Api, body: Any) -> None:
    assert wrong_fields(post_event(api, body, BATCH)) == ["body"]
