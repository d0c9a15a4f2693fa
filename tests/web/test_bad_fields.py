"""Rule 7.1: fields that are missing, mistyped or out of range; all are named, whatever else is wrong."""

import json
from typing import Any

import pytest

from tests.web.api import Api
from tests.web.helpers import (
    BATCH,
    EVENTS,
    ORCHESTRATOR,
    REGISTER,
    an_event,
    check_problem,
    post_admin,
    post_event,
    send,
    wrong_fields,
)

HUGE = 10**40
TEXT_BREAKERS: list[Any] = ["\x00", "a\nb", "\u202e", "\ud800", "\udc00\ud800", 1, 1.5, True, [], {}]
"""No string, or one with characters that nobody can see; lone surrogates cannot even be answered with."""

BAD: dict[str, list[Any]] = {
    "session_id": [None, "", "x" * 129, *TEXT_BREAKERS],
    "event": [None, "", "START", "stop", "start ", "\ud800", 1, [], {}],
    "upstream_addr": ["", "host.example", "1.2.3", "1.2.3.4:80", "01.2.3.4", "[::1]", "fe80::1%eth0", *TEXT_BREAKERS],
    "upstream_port": [0, -1, 65536, HUGE, -HUGE, 1.0, "8888", True, [], {}],
    "edge_id": ["x" * 65, *TEXT_BREAKERS],
    "streamer_id": ["x" * 129, *TEXT_BREAKERS],
    "event_id": ["", "x" * 129, *TEXT_BREAKERS],
    "seq": [-1, 2**63, HUGE, 1.0, "1", False, [], {}],
    "occurred_at": [
        "", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z",
        "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-01-31T12:00:00+25:00",
        1_770_000_000, "\ud800", [], {},
    ],
}  # fmt: skip

GOOD: dict[str, list[Any]] = {
    "session_id": ["x", "x" * 128, "\u00e9 \u4e16\u754c \U0001f600"],
    "event": ["start", "heartbeat", "end"],
    "upstream_addr": ["1.2.3.4", "2001:db8::1", "::ffff:1.2.3.4"],
    "upstream_port": [None, 1, 65535],
    "edge_id": [None, "", "x" * 64],
    "streamer_id": [None, "", "x" * 128],
    "event_id": [None, "x" * 128],
    "seq": [None, 0, 2**63 - 1],
    "occurred_at": [
        None, "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-01-31t12:00:00z",
        "2026-01-31 12:00:00.5+05:30",
    ],
}  # fmt: skip

ALL_WRONG = {field: values[-1] for field, values in BAD.items()}

RECORD_ALL_WRONG = {
    "orchestrator_id": "a b", "address": "0x", "host_public_ip": "x", "host_name": "", "power_url": "x", "enabled": 1,
    "registered_at": "2026-01-31T12:00:00Z", "adress": "\ud800",
}  # fmt: skip


def cases(values: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(field, each, id=f"{field}={each!a:.40}") for field, many in values.items() for each in many]


@pytest.mark.parametrize(("field", "value"), cases(BAD))
def test_wrong_field_of_an_event_is_named(api: Api, field: str, value: Any) -> None:
    assert wrong_fields(post_event(api, {**an_event("wrong"), field: value})) == [field]


@pytest.mark.parametrize(("field", "value"), cases(BAD))
def test_wrong_field_of_an_event_in_a_batch_is_named(api: Api, field: str, value: Any) -> None:
    answer = post_event(api, [{**an_event("wrong"), field: value}], BATCH)
    assert answer.status == 200
    [result] = answer.json()["results"]
    assert set(result) == {"session_id", "problem"}
    assert (result["problem"]["type"], result["problem"]["status"]) == ("urn:payments:problem:invalid", 422)
    assert [error["field"] for error in result["problem"]["errors"]] == [field]


@pytest.mark.parametrize(("field", "value"), cases(GOOD))
def test_field_of_an_event_is_taken_up_to_its_bounds(api: Api, field: str, value: Any) -> None:
    answer = post_event(api, {**an_event(f"good-{field}-{value!a:.40}"), field: value})
    assert answer.json()["outcome"] == "recorded"


def test_every_wrong_field_of_an_event_is_named_at_once(api: Api) -> None:
    assert wrong_fields(post_event(api, ALL_WRONG)) == sorted(BAD)


def test_every_missing_field_of_an_event_is_named(api: Api) -> None:
    assert wrong_fields(post_event(api, {})) == ["session_id"]
    assert wrong_fields(post_event(api, {"session_id": "never-seen"})) == ["upstream_addr"]
    assert wrong_fields(post_event(api, {"session_id": "never-seen", "upstream_addr": None})) == ["upstream_addr"]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e0", "0.0", "-0.0"])
def test_numbers_that_are_no_integers_are_refused(api: Api, number: str) -> None:
    body = f'{{"session_id":"n","upstream_addr":"1.2.3.4","upstream_port":{number},"seq":{number}}}'.encode()
    answer = send(api, "POST", EVENTS, body, token=api.REPORTER)
    assert wrong_fields(answer) == ["seq", "upstream_port"]


def test_every_wrong_field_of_a_record_is_named_at_once(api: Api) -> None:
    assert wrong_fields(post_admin(api, "POST", REGISTER, RECORD_ALL_WRONG)) == sorted(RECORD_ALL_WRONG)
    assert wrong_fields(post_admin(api, "PATCH", ORCHESTRATOR, RECORD_ALL_WRONG)) == sorted(RECORD_ALL_WRONG)


def test_record_without_an_id_is_refused(api: Api) -> None:
    assert wrong_fields(post_admin(api, "POST", REGISTER, {})) == ["orchestrator_id"]


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        pytest.param("/api/sessions", f"{name}={value}", name, id=f"sessions-{name}={value}")
        for name, values in {
            "limit": ["0", "2001", "-1", "1.0", "%2B1", "abc", "", "1e3", "%D9%A5", "9" * 30],
            "cursor": ["-1", "abc", "", "9" * 20, "%00", "%ff"],
            "status": ["", "Active", "open"],
            "active_only": ["maybe", "2", ""],
        }.items()
        for value in values
    ]
    + [
        pytest.param("/api/ledger/events", f"{name}={value}", name, id=f"ledger-{name}={value}")
        for name, values in {
            "limit": ["0", "2001", "x"],
            "cursor": ["-1", "x", "9" * 20],
            "since": ["", "yesterday", "1770000000", "2026-01-31"],
            "until": ["", "2026-02-30T00:00:00Z", "%ff"],
        }.items()
        for value in values
    ],
)
def test_wrong_parameter_of_a_query_is_named(api: Api, path: str, query: str, named: str) -> None:
    assert wrong_fields(send(api, "GET", f"{path}?{query}", token=api.VIEWER)) == [named]


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/api/sessions", "limit=x&status=x&active_only=x", ["active_only", "limit", "status"]),
        ("/api/ledger/events", "limit=x&since=x&until=x", ["limit", "since", "until"]),
    ],
    ids=["sessions", "ledger"],
)
def test_every_wrong_parameter_is_named_at_once(api: Api, path: str, query: str, named: list[str]) -> None:
    assert wrong_fields(send(api, "GET", f"{path}?{query}", token=api.VIEWER)) == named


def test_event_id_with_other_content_is_a_conflict(api: Api) -> None:
    first = an_event("reused", "start", event_id="id-1", occurred_at="2026-01-31T12:00:00Z")
    assert post_event(api, first).json()["outcome"] == "recorded"
    for other in ({"event": "end"}, {"upstream_port": 1}, {"occurred_at": "2026-01-31T12:00:01Z"}, {"edge_id": "b"}):
        assert wrong_fields(post_event(api, {**first, **other})) == ["event_id"]
    again = post_event(api, first)
    assert (again.status, again.json()["outcome"]) == (200, "duplicate")
    assert len(api.get("/api/ledger/events", session_id="reused")["events"]) == 1


def test_detail_says_what_is_wrong_and_what_would_be_right(api: Api) -> None:
    answer = post_event(api, {**an_event("wrong"), "upstream_addr": "host.example", "seq": -1, "event": "stop"})
    problem = check_problem(answer, "invalid")
    assert {error["field"]: error["detail"] for error in problem["errors"]} == {
        "event": "Must be one of: start, heartbeat, end.",
        "seq": f"Must be from 0 to {2**63 - 1}.",
        "upstream_addr": '"host.example" is not an IPv4 or IPv6 address',
    }
    assert json.dumps(problem["detail"]) == '"see errors: event, seq, upstream_addr"'
