"""``python -m tests.bench.edges``: many edges report in batches through nginx, much faster than in reality.

By default 10,000 sessions with a heartbeat every 15 s, at 20 times the speed, for 10 minutes. Prints the edges'
answers, the server's memory over time, and whether the journal has everything acknowledged.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from payments.clock import now_ms
from payments.domain.times import format_time
from tests.deploy.proxy import running_behind_proxy
from tests.harness import Server

HEARTBEAT_S = 15
EDGES = 8
ORCHESTRATORS = 50


class EdgePlan(NamedTuple):
    """Load of the edges. ``batch``: most events in a request; ``speed``: how many times as fast as in reality."""

    sessions: int
    speed: float
    seconds: float
    batch: int


class BenchEdge(threading.Thread):
    """One edge with its share of the sessions.

    Attributes:
        taken_s: duration of each request; ``outcomes``: outcomes of events, or errors of requests.
    """

    def __init__(self, server: Server, plan: EdgePlan, number: int) -> None:
        super().__init__()
        self.taken_s: list[float] = []
        self.outcomes: Counter[str] = Counter()
        self._server = server
        self._plan = plan
        self._number = number
        self._sessions = range(number, plan.sessions, EDGES)

    def run(self) -> None:
        # Each from its own address, like real edges, because nginx limits by address.
        address = (f"127.0.1.{self._number}", 0)
        self._connection = HTTPConnection("127.0.0.1", self._server.port, timeout=60, source_address=address)
        self._tell("start", 0, 0.0)
        interval_s = HEARTBEAT_S / self._plan.speed
        for count in range(1, round(self._plan.seconds / interval_s) + 1):
            self._tell("heartbeat", count, interval_s)
        self._tell("end", 1_000_000, 0.0)
        self._connection.close()

    def _tell(self, kind: str, seq: int, interval_s: float) -> None:
        """Report ``kind`` for every session, spread over the interval."""
        begun_s = time.monotonic()
        batches = list(self._batches())
        for number, batch in enumerate(batches):
            self._post(kind, seq, batch)
            due_s = begun_s + interval_s * (number + 1) / len(batches)
            time.sleep(max(0.0, due_s - time.monotonic()))

    def _batches(self) -> Iterator[Sequence[int]]:
        for first in range(0, len(self._sessions), self._plan.batch):
            yield self._sessions[first : first + self._plan.batch]

    def _post(self, kind: str, seq: int, batch: Sequence[int]) -> None:
        occurred_at = format_time(now_ms())
        events = [
            {
                "session_id": f"session-{number}", "event": kind, "seq": seq, "event_id": f"{number}-{seq}",
                "upstream_addr": f"203.0.113.{number % ORCHESTRATORS + 1}", "occurred_at": occurred_at,
            }
            for number in batch
        ]  # fmt: skip
        headers = {"Content-Type": "application/json", "X-Session-Token": self._server.REPORTER}
        begun_s = time.monotonic()
        self._connection.request("POST", "/api/sessions/events/batch", json.dumps(events), headers)
        answer = self._connection.getresponse()
        said = answer.read()
        self.taken_s.append(time.monotonic() - begun_s)
        if answer.status == 200:
            self.outcomes.update(each["outcome"] for each in json.loads(said)["results"])
        else:
            self.outcomes[f"status {answer.status}"] += len(batch)


def live(server: Server, plan: EdgePlan) -> tuple[list[BenchEdge], list[int]]:
    """The finished edges, and the memory of the server's workers in KiB, every second."""
    for number in range(1, ORCHESTRATORS + 1):
        server.register(f"orch-{number}", f"203.0.113.{number}")
    edges = [BenchEdge(server, plan, number) for number in range(EDGES)]
    for edge in edges:
        edge.start()
    memory_kib = []
    while any(edge.is_alive() for edge in edges):
        memory_kib.append(sum(_memory_kib(pid) for pid in server.workers()))
        time.sleep(1)
    return edges, memory_kib


def _memory_kib(pid: int) -> int:
    said = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in said.splitlines() if line.startswith("VmRSS:")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--batch", type=int, default=500)
    plan = EdgePlan(**vars(parser.parse_args()))
    with TemporaryDirectory(prefix="payments-edges-") as name, running_behind_proxy(Path(name)) as server:
        begun_s = time.monotonic()
        edges, memory_kib = live(server, plan)
        took_s = time.monotonic() - begun_s
        server.stop()
        outcomes = sum((edge.outcomes for edge in edges), Counter[str]())
        taken_ms = sorted(1000 * taken_s for edge in edges for taken_s in edge.taken_s)
        verified = subprocess.run(
            [Path(sys.executable).with_name("payments"), "ledger", "verify", "--json"],
            env={"PAYMENTS_DATA_DIR": str(server.data)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    minute = max(1, min(60, len(memory_kib) // 3))
    sys.stdout.write(
        f"{sum(outcomes.values())} events in {took_s:.0f} s, {sum(outcomes.values()) / took_s:.0f}/s, planned "
        f"{plan.sessions * plan.speed / HEARTBEAT_S:.0f}/s: {dict(outcomes)}\n"
        f"a batch of {plan.batch}: half within {taken_ms[len(taken_ms) // 2]:.0f} ms, 99 of 100 within "
        f"{taken_ms[len(taken_ms) * 99 // 100]:.0f} ms, all within {taken_ms[-1]:.0f} ms\n"
        f"memory of the workers: {max(memory_kib[:minute]) // 1024} MiB at first, "
        f"{max(memory_kib[-minute:]) // 1024} MiB at last\n"
        f"journal: {json.loads(verified.stdout)['entries']} entries, verified\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
