"""What depends on gunicorn: framing, the headers that it passes on, and two worker processes."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from payments.clock import now_ms
from payments.domain.times import parse_time
from tests.harness import Server, until
from tests.web.helpers import EVENTS, an_event, check_problem, post_event, send

LIMIT = 64 * 1024


def test_declared_size_is_refused_before_the_body_is_sent(shared_server: Server) -> None:
    head = (
        f"POST {EVENTS} HTTP/1.1\r\nHost: payments\r\nAuthorization: Bearer {shared_server.REPORTER}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 1000000000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", shared_server.port), timeout=30) as client:
        client.sendall(head.encode())
        assert client.recv(65_536).startswith(b"HTTP/1.1 413 ")


def pieces(size: int) -> Iterator[bytes]:
    """An event of ``size`` bytes in chunks."""
    body = json.dumps(an_event("in-chunks")).encode().ljust(size)
    for start in range(0, size, 10_000):
        yield body[start : start + 10_000]


def test_chunked_body_of_the_full_size_is_taken_and_one_byte_more_is_not(shared_server: Server) -> None:
    assert send(shared_server, "POST", EVENTS, pieces(LIMIT), token=shared_server.REPORTER).status == 200
    for size in (LIMIT + 1, LIMIT + 40_000):
        check_problem(send(shared_server, "POST", EVENTS, pieces(size), token=shared_server.REPORTER), "too-large")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x" * 300), ("Host", "a b"), ("Host", ""), ("Host", "[::"), ("Host", "h:99999"), ("Host", "..."),
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Accept", "text/html"), ("Accept-Encoding", "\xff"),
        ("Cookie", "a=\x80; =; ;;"), ("Range", "bytes=0-"), ("X-Forwarded-For", "\xff, x"), ("X-Forwarded-Host", "/"),
        ("X-HTTP-Method-Override", "DELETE"), ("SCRIPT_NAME", "/foo"), ("PATH_INFO", "/foo"), ("Script-Name", "/foo"),
        ("REMOTE_USER", "admin"), ("Content-Encoding", "gzip"), ("Expect", "100-continue"), ("Date", "yesterday"),
    ],
)  # fmt: skip
def test_odd_headers_do_no_harm(shared_server: Server, name: str, value: str) -> None:
    """A header that a client makes up is ignored, or at worst the request is refused as malformed."""
    answer = shared_server.exchange("GET", "/healthz", None, {name: value})
    if answer.status == 200:
        assert answer.json() == {"status": "ok"}
    else:
        check_problem(answer, "malformed")


def test_asking_for_a_websocket_is_malformed(shared_server: Server) -> None:
    answer = send(shared_server, "GET", "/healthz", connection="Upgrade", upgrade="websocket")
    check_problem(answer, "malformed")


@contextmanager
def only(server: Server, worker: int) -> Iterator[None]:
    """The other workers are stopped, so ``worker`` answers whatever is asked."""
    others = [pid for pid in server.workers() if pid != worker]
    try:
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
                time.sleep(0.001)
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def test_what_one_worker_acknowledged_the_other_shows_at_once(shared_server: Server) -> None:
    first, second = shared_server.workers()
    for number, (writer, reader) in enumerate([(first, second), (second, first)] * 2):
        host = f"192.0.2.{number}"
        with only(shared_server, writer):
            shared_server.register(f"orch-{number}", host)
            record = post_event(shared_server, an_event(f"seen-{number}", upstream_addr=host)).json()
        with only(shared_server, reader):
            assert shared_server.get(f"/api/orchestrators/orch-{number}")["host_public_ip"] == host
            assert shared_server.get(f"/api/sessions/seen-{number}")["opened_seq"] == record["opened_seq"]
            assert shared_server.get("/api/ledger/events", limit=1)["events"][0]["seq"] == record["opened_seq"]
            until(lambda: now_ms() > parse_time(record["last_seen_at"]) + 2)  # noqa: B023 - called at once
            ended = post_event(shared_server, {"session_id": f"seen-{number}", "event": "end"}).json()
            assert ended["orchestrator_id"] == f"orch-{number}"
        with only(shared_server, writer):
            balances = shared_server.get("/api/ledger/balances")["balances"]
            [balance] = [each for each in balances if each["orchestrator_id"] == f"orch-{number}"]
            assert balance["balance"] == ended["billed_eth"] != "0"
