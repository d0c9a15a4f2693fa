"""Edges that report to a server whatever happens to it, and repeat each event until it is acknowledged."""

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path

from tests.audit import audit
from tests.harness import HOST_A, Server, journal_path, until

EDGES, SESSIONS_PER_EDGE = 4, 3
_PATIENCE_S = 60


def faults(number: int) -> int:
    """``number`` times ``PAYMENTS_TEST_FAULTS``."""
    return max(1, round(number * float(os.environ.get("PAYMENTS_TEST_FAULTS", "1"))))


class EdgeLoad:
    """Answers that ``EDGES`` edges got so far.

    Attributes:
        ports: ports of the servers; a test changes them as servers come and go.
        acknowledged: session and event id of each event answered with 200.
        refused: number of 503s by ``detail``.
        broken: number of requests without an answer.
    """

    def __init__(self, port: int) -> None:
        self.ports = [port]
        self.acknowledged: list[tuple[str, str]] = []
        self.refused: Counter[str] = Counter()
        self.broken = 0
        self._ending = threading.Event()

    def goes_on(self, events: int = 20) -> None:
        """Wait until so many more events are acknowledged."""
        wanted = len(self.acknowledged) + events
        until(lambda: len(self.acknowledged) >= wanted, timeout_s=_PATIENCE_S)

    def is_refused(self, why: str, times: int = EDGES) -> None:
        """Wait until so many more events are refused with ``why`` in the answer."""
        wanted = self._times(why) + times
        until(lambda: self._times(why) >= wanted, timeout_s=_PATIENCE_S)

    def end(self) -> None:
        """Stop each edge once its current event is acknowledged."""
        self._ending.set()

    def run_edge(self, edge: int) -> None:
        for number in count():
            if self._ending.is_set():
                return
            session_id, event_id = f"s-{edge}-{number % SESSIONS_PER_EDGE}", f"{edge}-{number}"
            self._deliver({"session_id": session_id, "event_id": event_id, "upstream_addr": HOST_A})
            self.acknowledged.append((session_id, event_id))

    def _times(self, why: str) -> int:
        return sum(times for detail, times in self.refused.copy().items() if why in detail)

    def _deliver(self, event: dict[str, str]) -> None:
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            assert time.monotonic() < deadline_s, f"nobody takes {event}"
            try:
                if self._is_taken(event, random.choice(self.ports)):
                    return
            except (OSError, http.client.HTTPException):
                self.broken += 1
            time.sleep(0.02)  # like a real edge, and so that others get the processor

    def _is_taken(self, event: dict[str, str], port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=7)
        headers = {"Content-Type": "application/json", "X-Session-Token": Server.REPORTER}
        try:
            connection.request("POST", "/api/sessions/events", json.dumps(event), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status == 200:
            assert answer["outcome"] in ("recorded", "duplicate"), answer
            return True
        assert response.status == 503, answer
        assert int(response.headers["Retry-After"]) > 0
        self.refused[answer["detail"]] += 1
        return False


@contextmanager
def load(server: Server) -> Iterator[EdgeLoad]:
    """Edges that report to ``server``; at the end all their events are acknowledged."""
    # A worker that opens its store later would verify the journal during the test, and so end a halt.
    until(lambda: all(_has_a_store(pid) for pid in server.workers()))
    running = EdgeLoad(server.port)
    with ThreadPoolExecutor(EDGES) as threads:
        edges = [threads.submit(running.run_edge, edge) for edge in range(EDGES)]
        try:
            running.goes_on()
            yield running
        finally:
            running.end()
        for edge in edges:
            edge.result()


def check(server: Server, sent: EdgeLoad) -> None:
    """Check that the journal has exactly the acknowledged events, once each, and the server's balances match it."""
    entries, balances = audit(journal_path(server.data))
    recorded = [(entry["session"]["session_id"], entry["session"]["event_id"]) for entry in entries]
    assert sorted(recorded) == sorted(sent.acknowledged)
    shown = server.get("/api/ledger/balances")["balances"]
    assert {each["orchestrator_id"]: Decimal(each["balance"]) for each in shown} == balances
    assert list(balances) == ["orch-a"]


def torn_tails(data: Path) -> list[Path]:
    """Parts of the journal in ``data`` that were set aside."""
    return sorted(journal_path(data).parent.glob("*.torn-*"))


def _has_a_store(worker: int) -> bool:
    """The store's thread: the first that a worker starts."""
    try:
        return len(os.listdir(f"/proc/{worker}/task")) > 1
    except FileNotFoundError:
        return False
