"""Request ids, and what the log says of requests that fail."""

import json
from typing import Any

import pytest

from tests.harness import Server, WebResponse
from tests.web.api import Api
from tests.web.helpers import EVENTS, an_event, check_problem, post_event, send


def logged(server: Server) -> list[dict[str, Any]]:
    """Every line of the log; each must be a JSON object."""
    return [json.loads(line) for line in server.log.read_text().splitlines()]


@pytest.mark.parametrize("given", ["a", "0" * 64, "7f3c-01:x/y=z", '"quoted"', "{}\\"])
def test_sane_request_id_is_taken_over(api: Api, given: str) -> None:
    assert send(api, "GET", "/healthz", x_request_id=given).headers["x-request-id"] == given
    problem = check_problem(send(api, "GET", "/nowhere", x_request_id=given), "not-found")
    assert problem["request_id"] == given


@pytest.mark.parametrize("given", ["", "0" * 65, "a b", "caf\u00e9", "a\tb"])
def test_other_request_id_is_replaced(api: Api, given: str) -> None:
    minted = {send(api, "GET", "/healthz", x_request_id=given).headers["x-request-id"] for _ in range(5)}
    assert len(minted) == 5
    assert given not in minted
    assert all(len(each) == 16 and each.isalnum() for each in minted)


def test_answers_of_every_kind_carry_one(api: Api) -> None:
    answers: list[WebResponse] = [
        post_event(api, an_event("s-1")),
        post_event(api, {}),
        send(api, "GET", "/api/sessions"),
        send(api, "DELETE", "/healthz"),
        send(api, "OPTIONS", EVENTS),
        send(api, "GET", "/docs", accept="text/html"),
    ]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


@pytest.fixture(scope="module")
def halted(shared_server: Server) -> Server:
    """A server that can record nothing any more."""
    shared_server.register("private")
    shared_server.halt()
    return shared_server


def test_request_that_storage_refuses_is_one_line_of_the_log(halted: Server) -> None:
    before = len(logged(halted))
    headers = {"x_request_id": "mine-1"}
    answer = send(halted, "POST", EVENTS, json.dumps(an_event("s-1")).encode(), token=halted.REPORTER, **headers)
    problem = check_problem(answer, "unavailable")
    [line] = logged(halted)[before:]
    about = {"request_id", "client", "status", "method", "route", "seconds"}
    assert set(line) == {"level", "logger", "message", "time"} | about
    assert line["message"] == f"503: {problem['detail']}"
    assert (line["level"], line["request_id"], line["status"]) == ("ERROR", "mine-1", 503)
    assert (line["method"], line["route"], line["client"]) == ("POST", EVENTS, "127.0.0.1")
    assert 0 < line["seconds"] < 10


def test_route_in_the_log_is_a_pattern(halted: Server) -> None:
    before = len(logged(halted))
    path = "/api/orchestrators/private/stats?x=private"
    check_problem(send(halted, "GET", path, token=halted.VIEWER), "unavailable")
    [line] = logged(halted)[before:]
    assert line["route"] == "/api/orchestrators/{orchestrator_id}/stats"
    assert "private" not in json.dumps(line)


def test_requests_that_succeed_or_are_refused_are_not_logged(api: Api) -> None:
    before = api.log.read_text()
    post_event(api, an_event("s-1"))
    post_event(api, {})
    send(api, "GET", "/api/sessions", token="wrong")
    assert api.log.read_text() == before


def test_whole_log_is_json_from_start_to_stop(server: Server) -> None:
    assert server.stop() == 0
    lines = logged(server)
    assert {line["logger"] for line in lines} == {"gunicorn.error"}
    assert all(set(line) >= {"level", "logger", "message", "time"} for line in lines)


def test_no_token_gets_into_the_log(halted: Server) -> None:
    for token in (halted.REPORTER, halted.VIEWER, halted.ADMIN):
        for path in (EVENTS, f"/api/sessions/{token}", f"/api/sessions?limit={token}", "/metrics"):
            send(halted, "GET", path, token=token, x_admin_token=token, x_session_token=token, cookie=token)
        send(halted, "POST", EVENTS, json.dumps(an_event(token)).encode(), token=token)
    text = halted.log.read_text()
    assert "503: " in text
    assert [token for token in (halted.REPORTER, halted.VIEWER, halted.ADMIN) if token in text] == []
