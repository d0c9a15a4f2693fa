"""Calls through nginx: what reaches Payments, what does not, and what the logs have."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.deploy.proxy import Proxied, recorded, running_behind_proxy, running_proxy
from tests.deploy.raw import call, exchanged, report, statuses
from tests.harness import WebResponse, journal_path, until
from tests.web.helpers import BATCH, CALLS, EVENTS, an_event, check_problem

OUTSIDER = "127.0.0.2"


def problem(answer: WebResponse, status: int, kind: str) -> Any:
    """A problem document made by nginx."""
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (answer.status, said["status"], said["type"]) == (status, status, f"urn:payments:problem:{kind}")
    assert said["request_id"] == answer.headers["x-request-id"]
    assert said["title"]
    assert said["detail"]
    return said


def test_event_is_recorded_and_answered(proxied: Proxied) -> None:
    answer = report(proxied, an_event("s-1"), OUTSIDER)
    assert (answer.status, answer.json()["outcome"], answer.json()["orchestrator_id"]) == (200, "recorded", "orch-a")
    assert recorded(proxied, "s-1") == 1


def test_batch_of_1000_is_recorded(proxied: Proxied) -> None:
    items = [an_event(f"b-{number}", streamer_id="x" * 128, edge_id="e" * 64) for number in range(1000)]
    body = json.dumps(items).encode()
    assert 256 * 1024 < len(body) < 1024 * 1024
    headers = {"content_type": "application/json", "authorization": f"Bearer {proxied.REPORTER}"}
    answer = call(proxied, "POST", BATCH, body, OUTSIDER, **headers)
    assert answer.status == 200
    assert {each["outcome"] for each in answer.json()["results"]} == {"recorded"}


@pytest.mark.parametrize(("path", "limit"), [(EVENTS, 64 * 1024), (BATCH, 1024 * 1024), ("/api/power", 64 * 1024)])
@pytest.mark.parametrize("pieces", [1, 4], ids=["length", "chunked"])
def test_body_over_the_limit_is_answered_413_and_one_at_the_limit_passes(
    proxied: Proxied, path: str, limit: int, pieces: int
) -> None:
    def sent(size: int) -> WebResponse:
        body: Any = b" " * size
        if pieces > 1:
            step = size // pieces + 1
            body = iter([body[at : at + step] for at in range(0, size, step)])
        headers = {"content_type": "application/json", "x_session_token": proxied.REPORTER}
        return call(proxied, "POST", path, body, **headers)

    problem(sent(limit + 1), 413, "too-large")
    assert sent(limit).status in (400, 405)


@pytest.mark.parametrize("role", ["reporter", "viewer"])
def test_wrong_token_is_answered_by_payments(proxied: Proxied, role: str) -> None:
    for method, path in CALLS[role]:
        if path != "/metrics":
            body = b"[]" if method == "POST" else None
            headers = {"x_session_token": "wrong", "x_admin_token": "wrong", "content_type": "application/json"}
            check_problem(call(proxied, method, path, body, OUTSIDER, **headers), "unauthenticated")


@pytest.mark.parametrize(("method", "path"), [*CALLS["admin"], ("GET", "/metrics"), ("HEAD", "/metrics")])
def test_admin_calls_and_metrics_are_closed_to_other_addresses(proxied: Proxied, method: str, path: str) -> None:
    before = journal_path(proxied.data).stat().st_size
    headers = {"x_admin_token": proxied.ADMIN, "content_type": "application/json", "x_forwarded_for": "127.0.0.1"}
    body = b"{}" if method in ("POST", "PATCH") else None
    refused = call(proxied, method, path, body, OUTSIDER, **headers)
    if method == "HEAD":
        assert (refused.status, refused.body) == (403, b"")
    else:
        problem(refused, 403, "forbidden")
    assert journal_path(proxied.data).stat().st_size == before
    assert call(proxied, method, path, body, **headers).status in (200, 422)


@pytest.mark.parametrize("path", ["//metrics", "/%6detrics", "/x/../metrics", "/%2e/metrics", "/metrics?x"])
def test_no_spelling_of_metrics_is_open_to_other_addresses(proxied: Proxied, path: str) -> None:
    assert call(proxied, "GET", path, source=OUTSIDER, x_admin_token=proxied.ADMIN).status == 403


def test_viewer_calls_are_open_to_other_addresses(proxied: Proxied) -> None:
    for method, path in [("GET", "/api/sessions?limit=5"), ("HEAD", "/api/ledger/balances"), ("GET", "/docs")]:
        assert call(proxied, method, path, source=OUTSIDER, x_admin_token=proxied.VIEWER).status == 200
    for path in ("/healthz", "/readyz"):
        assert call(proxied, "GET", path, source=OUTSIDER).status == 200


def test_session_ids_reach_payments_as_they_were_written(proxied: Proxied) -> None:
    for session_id, written in [("a/b", "a%2Fb"), ("/c//d", "/c//d"), ("e%f", "e%25f"), ("ü", "%C3%BC")]:
        assert report(proxied, an_event(session_id)).status == 200
        answer = call(proxied, "GET", f"/api/sessions/{written}", x_admin_token=proxied.VIEWER)
        assert (answer.status, answer.json().get("session_id")) == (200, session_id)


def test_methods_that_nobody_takes_are_answered_so(proxied: Proxied) -> None:
    head = call(proxied, "HEAD", "/healthz", source=OUTSIDER)
    assert (head.status, head.body) == (200, b"")
    options = call(proxied, "OPTIONS", EVENTS, source=OUTSIDER)
    assert options.status == 200
    assert "POST" in options.headers["allow"]
    assert call(proxied, "DELETE", "/healthz").status == 405
    problem(call(proxied, "TRACE", "/healthz"), 405, "method-not-allowed")
    assert call(proxied, "DELETE", "/healthz", source=OUTSIDER).status == 403


@pytest.mark.parametrize("path", ["/.problem/413", "/.problem/", "/.problem/x"])
def test_what_nginx_answers_errors_with_is_no_address_of_its_own(proxied: Proxied, path: str) -> None:
    problem(call(proxied, "GET", path), 404, "not-found")


def test_answers_say_as_little_as_they_can_and_are_kept_by_nobody(proxied: Proxied) -> None:
    refused = {"x_admin_token": "wrong"}
    for answer in (call(proxied, "GET", "/docs", **refused), call(proxied, "GET", "/metrics", source=OUTSIDER)):
        assert answer.headers["server"] == "nginx"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("given", ["a", "0" * 64, "7f3c-01:x/y=z"])
def test_plain_request_id_is_the_same_in_the_answer_and_both_logs(proxied: Proxied, given: str) -> None:
    name = given[:-1] + "1"
    assert call(proxied, "GET", "/healthz", x_request_id=name).headers["x-request-id"] == name
    until(lambda: proxied.proxy.line_of(name) is not None)


@pytest.mark.parametrize("given", ["", "0" * 65, "a b", '"quoted"', "a\\b", "a, b", "caf\u00e9"])
def test_other_request_id_is_replaced(proxied: Proxied, given: str) -> None:
    for path, status in (("/healthz", 200), ("/metrics", 403)):
        answer = call(proxied, "GET", path, source=OUTSIDER, x_request_id=given)
        minted = answer.headers["x-request-id"]
        assert (answer.status, len(minted), minted.isalnum()) == (status, 32, True)


def test_failed_call_is_told_in_both_logs_with_the_clients_own_address(tmp_path: Path) -> None:
    """Whatever headers the client sends."""
    spoofed = {"x_forwarded_for": "10.9.9.9", "x_forwarded_proto": "https", "x_real_ip": "10.9.9.9"}
    with running_behind_proxy(tmp_path) as server:
        server.halt()
        answer = report(server, an_event("s-2"), OUTSIDER, x_request_id="failed-1", forwarded="for=10.9.9.9", **spoofed)
        check_problem(answer, "unavailable")
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
        [line] = [line for line in lines if line.get("request_id") == "failed-1"]
        assert (line["client"], line["status"], line["route"]) == (OUTSIDER, 503, EVENTS)
        until(lambda: server.proxy.line_of("failed-1") is not None)
        shown = server.proxy.line_of("failed-1")
        assert shown is not None
        assert (shown["client"], shown["status"], shown["upstream_status"]) == (OUTSIDER, 503, "503")
        assert "10.9.9.9" not in server.log.read_text() + server.proxy.log.read_text()


def test_log_has_a_line_of_this_form_for_every_request(proxied: Proxied) -> None:
    assert report(proxied, an_event("s-3"), OUTSIDER, x_request_id="form-1").status == 200
    until(lambda: proxied.proxy.line_of("form-1") is not None)
    line = proxied.proxy.line_of("form-1")
    assert line is not None
    assert {name: line[name] for name in ("client", "method", "route", "status", "upstream_status", "tls")} == {
        "client": OUTSIDER, "method": "POST", "route": EVENTS, "status": 200, "upstream_status": "200", "tls": "",
    }  # fmt: skip
    assert set(line) - {"client", "method", "route", "status", "upstream_status", "tls"} == {
        "time", "request_id", "bytes_in", "bytes_out", "seconds", "upstream_seconds",
    }  # fmt: skip


def test_no_token_gets_into_a_log_wherever_a_client_puts_it(proxied: Proxied) -> None:
    """The fixture checks at the end."""
    for token in (proxied.REPORTER, proxied.VIEWER, proxied.ADMIN):
        for path in (EVENTS, f"/api/sessions/{token}", f"/api/sessions?limit={token}", f"/{token}", "/metrics"):
            headers = {"x_admin_token": token, "x_session_token": token, "cookie": token, "x_request_id": f"{token}!"}
            call(proxied, "GET", path, authorization=f"Bearer {token}", **headers)
            call(proxied, "GET", path, source=OUTSIDER, user_agent=token, referer=token, **headers)


def test_connections_to_gunicorn_are_used_again(proxied: Proxied) -> None:
    def open_now() -> set[str]:
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
        return {row[6] for row in rows if row[-1] == str(proxied.proxy.socket) and row[5] == "03"}

    request = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert statuses(exchanged(("127.0.0.1", proxied.port), request + last)) == [200, 200]
    seen = [open_now()]
    for _ in range(20):
        assert statuses(exchanged(("127.0.0.1", proxied.port), request * 4 + last)) == [200] * 5
        seen.append(open_now())
    # Each nginx process keeps at most four; without that, 100 requests would have opened 100.
    assert 1 <= len(set.union(*seen)) <= 8


def test_api_that_is_away_is_a_503_with_retry_after(tmp_path: Path) -> None:
    with running_proxy(tmp_path) as proxy:
        until((tmp_path / "nginx.pid").exists)
        body = json.dumps(an_event("s-4"))
        headers = {"X-Request-ID": "away-1", "Content-Type": "application/json"}
        response = requests.post(f"{proxy.url}{EVENTS}", body, headers=headers, timeout=10)
        answer = WebResponse(response.status_code, {name.lower(): each for name, each in response.headers.items()}, b"")
        problem(answer._replace(body=response.content), 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        until(lambda: proxy.line_of("away-1") is not None)
        assert (proxy.line_of("away-1") or {})["upstream_status"] == "502"
