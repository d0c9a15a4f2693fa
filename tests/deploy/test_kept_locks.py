"""A process stopped while it holds a lock, or a client that never closes, does not block others.

Health checks are not affected, and events wait once at most.
"""

import fcntl
import http.client
import json
import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.harness import HOST_A, Server, journal_lines, running_server, until

CLIENTS = 64
JOURNAL_LOCK = "audit/ledger-events.log.lock"
OTHER_LOCKS = [
    "sessions.json.lock",
    "registry.json.lock",
    "registry.json.good.lock",
    "audit/ledger-events.log.compress.lock",
    "audit/ledger-events.log.worker.lock",
]
"""Of the projections, the registry, its last good copy, compression and the worker."""

LOCK_S, SOON_S = 5.0, 4.5
"""How long a request waits for a lock, and the limit for all others, however busy the machine."""


class TimedResponse(NamedTuple):
    """An answer, its time, and how long it took."""

    status: int
    at_s: float
    took_s: float
    retry_after: str | None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with an orchestrator and two running workers; its log must have no traceback."""
    with running_server(tmp_path) as server:
        server.wait_for_workers()
        server.register()
        yield server
    assert "Traceback" not in server.log.read_text()


@contextmanager
def kept(lock: Path) -> Iterator[None]:
    """Another process holds ``lock`` and is stopped."""
    pid = os.fork()
    if pid == 0:
        # Copies of the clients' sockets: while open here, they would look open to the server after clients close them.
        os.closerange(3, 1 << 16)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    try:
        os.waitpid(pid, os.WUNTRACED)
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class Clients:
    """Threads that each send requests one after another until stopped."""

    def __init__(self, server: Server) -> None:
        self.answers: list[TimedResponse] = []
        self.health: list[TimedResponse] = []
        self._server = server
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def report(self, clients: int, pause_s: float) -> None:
        """Let so many edges report one session each."""
        for number in range(clients):
            body = json.dumps({"session_id": f"s-{number}", "upstream_addr": HOST_A, "event": "heartbeat"})
            headers = {"Content-Type": "application/json", "X-Session-Token": Server.REPORTER}
            self._start(("POST", "/api/sessions/events", body, headers), self.answers, pause_s)

    def ask_for_health(self) -> None:
        """Let one supervisor check liveness, and another readiness."""
        for path in ("/healthz", "/readyz"):
            self._start(("GET", path, None, {}), self.health, 0.1)

    def stop(self) -> None:
        """Wait until all have their last answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _start(
        self, request: tuple[str, str, str | None, dict[str, str]], into: list[TimedResponse], pause_s: float
    ) -> None:
        thread = threading.Thread(target=self._run, args=(request, into, pause_s))
        self._threads.append(thread)
        thread.start()

    def _run(
        self, request: tuple[str, str, str | None, dict[str, str]], into: list[TimedResponse], pause_s: float
    ) -> None:
        while not self._stopping.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
            begun_s = time.monotonic()
            connection.request(*request)
            response = connection.getresponse()
            response.read()
            connection.close()
            at_s = time.monotonic()
            into.append(TimedResponse(response.status, at_s, at_s - begun_s, response.getheader("Retry-After")))
            self._stopping.wait(pause_s)


@pytest.mark.parametrize(
    ("names", "clients", "pause_s"),
    [([JOURNAL_LOCK], 4, 0.25), ([JOURNAL_LOCK], CLIENTS, 0.0), (OTHER_LOCKS, CLIENTS, 0.0)],
    ids=["the journal's", "the journal's, many clients", "all others, many clients"],
)
def test_kept_locks_delay_no_health_check_and_events_only_once(
    server: Server, names: list[str], clients: int, pause_s: float
) -> None:
    edges = Clients(server)
    edges.report(clients, pause_s)
    edges.ask_for_health()
    until(lambda: len(edges.answers) >= clients)
    with ExitStack() as held:
        for name in names:
            held.enter_context(kept(server.data / name))
        kept_s = time.monotonic()
        until(lambda: time.monotonic() - kept_s > 7 and len(edges.health) > 20)
        released_s = time.monotonic()
    until(lambda: sum(answer.at_s > released_s and answer.status == 200 for answer in edges.answers) >= clients)
    edges.stop()
    assert {answer.status for answer in edges.health} <= ({200, 503} if names == [JOURNAL_LOCK] else {200})
    assert max(answer.took_s for answer in edges.health) < SOON_S
    meanwhile = [answer for answer in edges.answers if kept_s + 1 < answer.at_s < released_s]
    if names == [JOURNAL_LOCK]:
        refused = [answer for answer in edges.answers if answer.status != 200]
        assert {(answer.status, answer.retry_after) for answer in refused} == {(503, "1")}
        assert max(answer.took_s for answer in edges.answers) < LOCK_S + SOON_S
        # The first ones wait; all others are refused at once.
        assert sum(answer.took_s > SOON_S for answer in meanwhile) <= clients
        assert statistics.median(answer.took_s for answer in meanwhile) < SOON_S
    else:
        assert {answer.status for answer in edges.answers} == {200}
        assert statistics.median(answer.took_s for answer in meanwhile) < SOON_S


def test_an_event_that_is_refused_is_not_recorded(server: Server) -> None:
    before = len(journal_lines(server.data))
    with kept(server.data / JOURNAL_LOCK):
        answer = server.report(session_id="late", upstream_addr=HOST_A, event="start")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:payments:problem:unavailable")
    assert "nothing is recorded" in answer.json()["detail"]
    until(lambda: server.report(session_id="again", upstream_addr=HOST_A, event="start").status_code == 200)
    assert not [line for line in journal_lines(server.data)[before:] if b'"late"' in line]


def test_an_event_that_waits_when_the_server_stops_is_answered(server: Server) -> None:
    edges = Clients(server)
    with kept(server.data / JOURNAL_LOCK):
        edges.report(1, 0.0)
        thread = threading.Thread(target=edges.stop)
        thread.start()
        server.process.terminate()
        # Stopping workers accept no more connections, but the waiting request is still answered.
        until(lambda: bool(edges.answers))
    thread.join()
    assert server.stop() == 0
    assert edges.answers[0].status in (200, 503)


def test_clients_that_do_not_close_their_side_hold_up_nobody(server: Server) -> None:
    with ExitStack() as opened:
        for _ in range(20):
            link = opened.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert link.recv(100).startswith(b"HTTP/1.1 200 ")
        begun_s = time.monotonic()
        for _ in range(4):
            assert requests.get(f"{server.url}/healthz", timeout=30).status_code == 200
        assert time.monotonic() - begun_s < 10
