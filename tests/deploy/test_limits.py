"""Rate limits of an address: enough for an edge, and no more."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

from tests.deploy.proxy import Proxied, running_proxy
from tests.deploy.raw import an_event, call, connected, exchanged, post, report, statuses
from tests.harness import WebResponse, until
from tests.web.helpers import BATCH, check_problem
from tests.web.helpers import an_event as event

OUTSIDER, ANOTHER = "127.0.0.2", "127.0.0.3"


def is_refused(answer: WebResponse) -> None:
    assert answer.status == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:payments:problem:too-many-requests"


def flood(port: int, request: bytes, times: int, source: str) -> list[int]:
    """Status of each of so many requests, pipelined, 90 on each connection."""
    found: list[int] = []
    while len(found) < times:
        last = request.replace(b"Host:", b"Connection: close\r\nHost:", 1)
        found += statuses(exchanged(("127.0.0.1", port), request * 89 + last, source))
    return found


def test_edge_may_send_2000_events_at_once_and_then_must_wait(tmp_path: Path) -> None:
    """nginx alone; requests that it lets through get 503."""
    body = an_event("s-1")
    with running_proxy(tmp_path) as proxy:
        until((tmp_path / "nginx.pid").exists)
        begun_s = monotonic()
        found = flood(proxy.port, post(body, f"Content-Length: {len(body)}"), 3600, OUTSIDER)
        taken = found.count(503)
        assert set(found) == {503, 429}
        assert 2000 <= taken <= 2001 + 301 * (monotonic() - begun_s)
        assert found[:2000] == [503] * 2000
        batch = post(b"[]", "Content-Length: 2", path=BATCH)
        assert set(flood(proxy.port, batch, 90, OUTSIDER)) == {503, 429}
        again = post(body, f"Content-Length: {len(body)}", "Connection: close")
        assert statuses(exchanged(("127.0.0.1", proxy.port), again, ANOTHER)) == [503]
        until(lambda: statuses(exchanged(("127.0.0.1", proxy.port), again, OUTSIDER)) == [503], timeout_s=2)


def test_guessing_tokens_is_limited_before_they_are_checked(proxied: Proxied) -> None:
    def ask_with(number: int) -> WebResponse:
        token = proxied.VIEWER if number % 4 == 0 else f"guess-{number}"
        request_id = f"asked-{number}"
        return call(proxied, "GET", "/api/sessions", source=OUTSIDER, x_admin_token=token, x_request_id=request_id)

    # In parallel; otherwise a busy machine would be slower than the limit.
    with ThreadPoolExecutor(8) as askers:
        answers = list(askers.map(ask_with, range(240)))
    looked_at = [answer for answer in answers if answer.status in (200, 401)]
    assert 41 <= len(looked_at) < 230
    for answer in answers:
        if answer.status == 401:
            check_problem(answer, "unauthenticated")
        elif answer.status != 200:
            is_refused(answer)
    # Even with the right token, because refused requests are not examined.
    refused = [f"asked-{number}" for number in range(0, 240, 4) if answers[number].status == 429]
    assert refused
    until(lambda: proxied.proxy.line_of(refused[-1]) is not None)
    assert {(proxied.proxy.line_of(each) or {})["upstream_status"] for each in refused} == {""}

    def ask(source: str) -> int:
        return call(proxied, "GET", "/api/sessions", source=source, x_admin_token=proxied.VIEWER).status

    assert ask(ANOTHER) == 200
    assert report(proxied, event("s-1"), OUTSIDER).status == 200
    until(lambda: ask(OUTSIDER) == 200, timeout_s=3)


def test_trusted_addresses_are_not_limited_as_readers(proxied: Proxied) -> None:
    asked = [call(proxied, "GET", "/api/power", x_admin_token="wrong").status for _ in range(100)]
    assert set(asked) == {401}


def test_500_slow_clients_do_not_keep_an_edge_waiting_and_are_cut_off(proxied: Proxied) -> None:
    """Half of them stop within their headers, half within a body."""
    at = ("127.0.0.1", proxied.port)
    with ExitStack() as stack:
        links = [stack.enter_context(connected(at, OUTSIDER)) for _ in range(500)]
        request = post(b"{", "Content-Length: 100")
        for number, link in enumerate(links):
            link.sendall(request[:60] if number % 2 else request)
        took_s = []
        for number in range(200):
            begun_s = monotonic()
            assert report(proxied, event(f"e-{number}"), ANOTHER).status == 200
            took_s.append(monotonic() - begun_s)
            links[number].send(b"a")
        assert sorted(took_s)[-2] < 1, sorted(took_s)[-5:]
        for link in links:
            link.settimeout(15)
            with suppress(ConnectionResetError):
                assert link.recv(1024)[:12] in (b"", b"HTTP/1.1 408")
