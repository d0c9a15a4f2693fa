"""gunicorn's worker as it is shipped: events that wait for the journal, and clients that do as they like meanwhile."""

import fcntl
import json
import os
import re
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import requests
from gunicorn.config import Config
from gunicorn.glogging import Logger

from tests.audit import audit
from tests.deploy.raw import Address, an_event, connected, exchanged, is_served, post, statuses
from tests.harness import ROOT, Server, journal_path, lock_path, running_server, until
from tests.web.helpers import BATCH

pytestmark = pytest.mark.long

CONNECTIONS = 24
"""How many both workers take; each has eight threads."""

SOON_S = 1.5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with an orchestrator, and both workers up; its log must end up without a traceback."""
    with running_server(tmp_path) as server:
        server.register()
        server.wait_for_workers()
        yield server
    assert "Traceback" not in server.log.read_text()


@contextmanager
def lock_kept(server: Server) -> Iterator[None]:
    """Nothing gets into the journal meanwhile."""
    with lock_path(server.data).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def address(server: Server) -> Address:
    return "127.0.0.1", server.port


def request_for(session_id: str, *headers: str) -> bytes:
    body = an_event(session_id)
    return post(body, f"Content-Length: {len(body)}", *headers)


def batch_for(*session_ids: str) -> bytes:
    body = b"[%b]" % b",".join(map(an_event, session_ids))
    return post(body, f"Content-Length: {len(body)}", path=BATCH)


def answer_on(link: socket.socket) -> tuple[int, Any]:
    """Status and JSON of the next answer on ``link``."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = link.recv(1)
        assert piece, f"closed behind {head!r}"
        head += piece
    length = re.search(rb"(?i)content-length: (\d+)", head)
    body = b""
    while length and len(body) < int(length[1]):
        body += link.recv(int(length[1]) - len(body))
    return int(head.split()[1]), json.loads(body) if body else None


@contextmanager
def soon() -> Iterator[None]:
    """What is done meanwhile must not take as long as ``SOON_S``."""
    begun_s = time.monotonic()
    yield
    assert time.monotonic() - begun_s < SOON_S


def session_ids(server: Server) -> list[str]:
    """Whose entries the journal has, in its order."""
    return [entry["metadata"]["session_id"] for entry in audit(journal_path(server.data)).entries]


@contextmanager
def events_sent(server: Server, names: Sequence[str]) -> Iterator[list[socket.socket]]:
    """A connection each, on which an event was sent."""
    with ExitStack() as opened:
        links = [opened.enter_context(connected(address(server))) for _ in names]
        for link, name in zip(links, names, strict=True):
            link.sendall(request_for(name))
        yield links


def test_events_that_wait_keep_nobody_else_waiting(server: Server) -> None:
    """More of them than the workers have threads."""
    names = [f"s-{number}" for number in range(20)]
    with ExitStack() as opened:
        with lock_kept(server):
            links = opened.enter_context(events_sent(server, names))
            for _ in range(8):
                with soon():
                    assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200
        answers = [answer_on(link) for link in links]
    assert [(status, answer["session_id"]) for status, answer in answers] == [(200, name) for name in names]
    assert sorted(session_ids(server)) == sorted(names)


def test_batches_that_wait_keep_nobody_else_waiting(server: Server) -> None:
    names = [[f"s-{number}", f"t-{number}"] for number in range(20)]
    with ExitStack() as opened:
        links = [opened.enter_context(connected(address(server))) for _ in names]
        with lock_kept(server):
            for link, both in zip(links, names, strict=True):
                link.sendall(batch_for(*both))
            for _ in range(8):
                with soon():
                    assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200
        answers = [answer_on(link) for link in links]
    assert [(status, [item["session_id"] for item in answer["results"]]) for status, answer in answers] == [
        (200, both) for both in names
    ]
    assert sorted(session_ids(server)) == sorted(name for both in names for name in both)


def test_event_is_answered_once_it_is_recorded(server: Server) -> None:
    """Not when it would have waited for long enough: nothing else happens here that would wake the worker."""
    with connected(address(server)) as link:
        for _ in range(2):
            with soon():
                link.sendall(request_for("s-1"))
                assert answer_on(link)[0] == 200


def test_event_that_waits_for_too_long_is_refused_and_not_recorded(server: Server) -> None:
    with ExitStack() as opened:
        with lock_kept(server):
            begun_s = time.monotonic()
            links = opened.enter_context(events_sent(server, ["late-1", "late-2", "late-3"]))
            answers = [answer_on(link) for link in links]
            assert 4.9 < time.monotonic() - begun_s < 8
        assert {status for status, _ in answers} == {503}
        assert {problem["type"] for _, problem in answers} == {"urn:payments:problem:unavailable"}
        assert all("nothing is recorded" in problem["detail"] for _, problem in answers)
        links[0].sendall(request_for("again"))
        assert answer_on(links[0])[0] == 200
    assert session_ids(server) == ["again"]


def test_events_sent_ahead_are_answered_in_order(server: Server) -> None:
    names = [f"s-{number}" for number in range(9)]
    with connected(address(server)) as link:
        for _ in range(2):
            link.sendall(b"".join(map(request_for, names)))
            assert [answer_on(link)[1]["session_id"] for _ in names] == names
        with lock_kept(server):
            link.sendall(request_for("first"))
            time.sleep(0.2)
            link.sendall(request_for("second") + b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            time.sleep(0.2)
        assert [answer_on(link)[1]["session_id"] for _ in range(2)] == ["first", "second"]
        assert answer_on(link)[0] == 200


def test_body_that_nobody_read_is_not_taken_for_the_next_request(server: Server) -> None:
    refused = request_for("refused").replace(Server.REPORTER.encode(), b"no token")
    with connected(address(server)) as link:
        for _ in range(2):
            link.sendall(refused)
            assert answer_on(link)[0] == 401
        link.sendall(request_for("taken"))
        assert answer_on(link)[1]["session_id"] == "taken"


@pytest.mark.parametrize("pieces", [[1], [-1], [30, 200, -45]], ids=str)
def test_event_that_comes_in_pieces_is_one(server: Server, pieces: list[int]) -> None:
    request = request_for("whole")
    cuts = sorted([0, *(piece % len(request) for piece in pieces), len(request)])
    with connected(address(server)) as link:
        for _ in range(2):
            for begin, end in pairwise(cuts):
                link.sendall(request[begin:end])
                time.sleep(0.05)
                with connected(address(server)) as other:
                    other.sendall(request_for("other"))
                    assert answer_on(other)[0] == 200
            assert answer_on(link)[1]["session_id"] == "whole"


@pytest.mark.parametrize("is_torn", [True, False], ids=["reset", "closed"])
def test_event_of_a_client_that_is_gone_is_recorded(server: Server, is_torn: bool) -> None:
    names = [f"s-{number}" for number in range(20)]
    with lock_kept(server), events_sent(server, names) as links:
        time.sleep(0.3)
        for link in links:
            if is_torn:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            link.close()
        time.sleep(0.3)
    until(lambda: sorted(session_ids(server)) == sorted(names))
    for _ in range(CONNECTIONS + 1):
        assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200


def test_client_that_reads_no_answer_holds_up_nobody(tmp_path: Path) -> None:
    """It is left; or, where it had sent ahead, read no more of."""
    path = tmp_path / "api.sock"
    server = Server(tmp_path, {"PAYMENTS_BIND": f"unix:{path}"})
    try:
        until(lambda: is_served(path))
        slowest_s = 0.0
        with connected(path) as link, suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            link.settimeout(2)
            for number in range(5000):
                link.sendall(request_for(f"s-{number % 10}"))
                begun_s = time.monotonic()
                with connected(path) as other:
                    other.sendall(request_for("other"))
                    assert answer_on(other)[0] in (200, 422)
                slowest_s = max(slowest_s, time.monotonic() - begun_s)
            raise AssertionError("all was taken")
        assert slowest_s < SOON_S
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()


def test_idle_connections_make_room_for_a_newcomer(server: Server) -> None:
    with ExitStack() as opened:
        idle: list[socket.socket] = []
        # A worker that has all that it takes closes one, while the other has yet to accept the next.
        while (lacking := CONNECTIONS - len(idle)) > 0:
            links = opened.enter_context(events_sent(server, [f"s-{number}" for number in range(lacking)]))
            idle += those_kept(links)
        begun_s = time.monotonic()
        with connected(address(server)) as newcomer:
            newcomer.sendall(request_for("new"))
            assert answer_on(newcomer)[0] == 200
        assert time.monotonic() - begun_s < 5


def test_busy_connections_make_room_too(server: Server) -> None:
    """They are told so with an answer, and lose nothing."""
    with events_sent(server, [f"s-{number}" for number in range(CONNECTIONS)]) as links, ExitStack() as opened:
        busy = those_kept(links)
        newcomer = opened.enter_context(connected(address(server)))
        newcomer.sendall(request_for("new"))
        newcomer.settimeout(0.01)
        begun_s = time.monotonic()
        while not is_answered(newcomer):
            for link in busy:
                link.sendall(request_for("busy"))
            busy = those_kept(busy)
            assert busy
            assert time.monotonic() - begun_s < 5
        assert answer_on(newcomer)[0] == 200


def is_answered(link: socket.socket) -> bool:
    with suppress(TimeoutError):
        return bool(link.recv(1, socket.MSG_PEEK))
    return False


def those_kept(links: Sequence[socket.socket]) -> list[socket.socket]:
    """Which of ``links`` may be used again, by the answer that each has coming."""
    answers = [link.recv(65536) for link in links]
    assert [statuses(answer) for answer in answers] == [[200]] * len(links)
    return [link for link, answer in zip(links, answers, strict=True) if b"Connection: close" not in answer]


def test_client_that_does_not_close_its_side_holds_up_nobody(server: Server) -> None:
    with ExitStack() as opened:
        for number in range(6):
            link = opened.enter_context(connected(address(server)))
            link.sendall(request_for(f"s-{number}", "Connection: close"))
            assert answer_on(link)[0] == 200
        for number in range(10):
            with soon(), connected(address(server)) as other:
                other.sendall(request_for(f"s-{number}"))
                assert answer_on(other)[0] == 200


def test_client_that_takes_a_long_answer_in_pieces_gets_all_of_it_and_holds_up_nobody(tmp_path: Path) -> None:
    text = "long" * 500_000
    with polling_worker(tmp_path, json.dumps(text).encode()) as (worker, path, answerable), connected(path) as link:
        for _ in range(2):
            link.sendall(request_for("s-1"))
            turn(worker, lambda: answerable)
            answerable.pop()()
            worker.wait_for_and_dispatch_events(0.01)
            with connected(path) as other:
                other.sendall(request_for("other"))
                turn(worker, lambda: answerable)
            answerable.pop()()
            reading = worker.tpool.submit(answer_on, link)
            turn(worker, reading.done)
            assert reading.result() == (200, text)
        assert worker.nr_conns == 1


@pytest.mark.parametrize("is_steady", [True, False], ids=["slow", "stopped"])
def test_client_that_takes_a_long_answer_slowly_is_waited_for_while_it_takes_any(
    is_steady: bool, tmp_path: Path
) -> None:
    text = "long" * 500_000
    with polling_worker(tmp_path, json.dumps(text).encode()) as (worker, path, answerable), connected(path) as link:
        type(worker)._end.__globals__["_PATIENCE_S"] = 0.3

        def take() -> bytes:
            taken = link.recv(200_000)
            while is_steady and not taken.endswith(b'"'):
                time.sleep(0.05)
                taken += link.recv(65536)
            return taken

        link.sendall(request_for("s-1"))
        turn(worker, lambda: answerable)
        answerable.pop()()
        taking = worker.tpool.submit(take)
        turn(worker, taking.done)
        if is_steady:
            assert taking.result().endswith(text.encode() + b'"')
            assert worker.nr_conns == 1
        else:
            turn(worker, lambda: worker.nr_conns == 0)


@pytest.mark.parametrize("more", [request_for("ahead"), b"", None], ids=["whole", "half-closed", "gone"])
@pytest.mark.parametrize("header", [(), ("Connection: close",)], ids=["kept", "closed"])
def test_client_heard_of_in_the_moment_of_its_answer_stops_no_worker(
    header: Sequence[str], more: bytes | None, tmp_path: Path
) -> None:
    """The poller says of both at once, of the answer first; by then the connection may be ended, or a thread's."""
    with polling_worker(tmp_path) as (worker, path, answerable), connected(path) as link:
        link.sendall(request_for("s-1", *header))
        turn(worker, lambda: answerable)
        # Once more, for the poller to forget that there was something: it speaks first of whom it heard of first.
        worker.wait_for_and_dispatch_events(0.01)
        answerable.pop()()
        if more is None:
            link.close()
        elif more:
            link.sendall(more)
        else:
            link.shutdown(socket.SHUT_WR)
        worker.wait_for_and_dispatch_events(0.01)
        if more and not header:
            # Nothing of what was sent ahead is lost.
            turn(worker, lambda: answerable)
            answerable.pop()()
            worker.wait_for_and_dispatch_events(0.01)
            assert [answer_on(link)[0] for _ in range(2)] == [200, 200]
        else:
            turn(worker, lambda: worker.nr_conns == 0)
        assert answerable == []


def turn(worker: Any, has_come: Callable[[], object]) -> None:
    """Let ``worker`` look after its connections, once and again until it ``has_come``."""

    def is_so() -> bool:
        worker.wait_for_and_dispatch_events(0.01)
        return bool(has_come())

    until(is_so)


@contextmanager
def polling_worker(folder: Path, body: bytes = b"{}") -> Iterator[tuple[Any, Path, list[Callable[[], None]]]]:
    """A worker whose poller is asked by the test alone, where it listens, and what says that an event is answerable."""
    answerable: list[Callable[[], None]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        environ["payments.answer_within_s"] = 5.0
        answerable.append(environ["payments.answerable"])

        def answer() -> Iterator[bytes]:
            start_response("200 OK", [("Content-Length", str(len(body)))])
            yield body

        return answer()

    path = folder / "api.sock"
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(2) as pool:
        listener.bind(str(path))
        listener.listen()
        cfg = Config()
        worker = run_path(str(ROOT / "deploy" / "journal_worker.py"))["JournalWorker"](
            1, os.getpid(), [listener], None, 30, cfg, Logger(cfg)
        )
        worker.tpool, worker.poller, worker.wsgi = pool, selectors.DefaultSelector(), app
        worker.method_queue.init()
        worker.poller.register(worker.method_queue.fileno(), selectors.EVENT_READ, worker.method_queue.run_callbacks)
        worker.set_accept_enabled(True)
        try:
            yield worker, path, answerable
        finally:
            worker.murder_keepalived(force=True)
            worker.poller.close()
            worker.method_queue.close()
            worker.tmp.close()


def test_worker_says_twice_a_second_that_it_is_alive(tmp_path: Path) -> None:
    """Not with every event: that costs the thread that answers them all."""
    with polling_worker(tmp_path) as (worker, _, _):
        worker.notify()
        begun_s = worker.tmp.last_update()
        assert begun_s > 0
        worker.notify()
        assert worker.tmp.last_update() == begun_s
        time.sleep(0.6)
        worker.notify()
        assert worker.tmp.last_update() >= begun_s + 0.5


def test_whoever_asks_whether_to_go_on_is_told_so(server: Server) -> None:
    answer = exchanged(address(server), request_for("s-1", "Expect: 100-continue", "Connection: close"))
    assert statuses(answer) == [100, 200]


def test_events_that_wait_when_the_server_stops_are_answered(server: Server) -> None:
    names = [f"s-{number}" for number in range(10)]
    with ExitStack() as opened:
        with lock_kept(server):
            links = opened.enter_context(events_sent(server, names))
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        assert [answer_on(link)[0] for link in links] == [200] * len(names)
        assert all(link.recv(1) == b"" for link in links)
    assert server.process.wait(timeout=20) == 0
    assert sorted(session_ids(server)) == sorted(names)
