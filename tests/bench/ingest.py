"""Events over HTTP, with wrk as the client."""

import json
import os
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.harness import ROOT, Server, ended

FLOOR = "tests.bench.floor:app"
BATCH = 100
FIRST, FEW, ORCHESTRATORS = 50, 1_000, 50
RATE, P99, CPU = range(3)
_SCRIPT = Path(__file__).with_name("events.lua")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Run(NamedTuple):
    """wrk's results, and their cost.

    Attributes:
        rate: events per second; ``cpu_us``: processor time of the workers for one event, user and system.
        p99_ms: for a request, however many events it has.
    """

    rate: float
    p99_ms: float
    cpu_us: float


Runs = Sequence[Run]


@contextmanager
def serving(folder: Path, sessions: int = FEW, app: str = "wsgi:app", tree: Path = ROOT) -> Iterator[Server]:
    """The server of ``tree`` with so many sessions; the ``FLOOR`` has none."""
    folder.mkdir()
    server = Server(folder, app=app, tree=tree)
    with ended(server):
        if app != FLOOR:
            _begin(server, sessions)
        yield server


def _begin(server: Server, sessions: int) -> None:
    for number in range(1, ORCHESTRATORS + 1):
        server.register(f"orch-{number}", f"203.0.113.{number}")
    for first in range(0, sessions, 1000):
        starts = [
            {"session_id": f"s-{number}", "event": "start", "upstream_addr": f"203.0.113.{number % 50 + 1}"}
            for number in range(first, min(first + 1000, sessions))
        ]
        answer = server.call("POST", "/api/sessions/events/batch", token=Server.REPORTER, json=starts)
        assert answer.status_code == 200, answer.text


def run(server: Server, seconds: float, clients: int = 16, *, batch: int = 1, sessions: int = FEW) -> Run:
    """Report heartbeats for so many seconds, each as soon as the last is answered."""
    environment = {"BENCH_SESSIONS": str(sessions), "BENCH_BATCH": str(batch), "BENCH_TOKEN": Server.REPORTER}
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout=60s", "-s", str(_SCRIPT), server.url]
    before_us = _cpu_us(server)
    wrk = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    seen = json.loads(wrk.stdout.splitlines()[-1])
    assert not seen["errors"], f"{server.log.parent.name}: {wrk.stdout}"
    # On a busy machine a short run may end before the first answer.
    events = max(1, seen["requests"]) * batch
    return Run(events / seen["duration_us"] * 1e6, seen["p99_us"] / 1000, (_cpu_us(server) - before_us) / events)


def median(runs: Runs) -> Run:
    return Run(*(statistics.median(values) for values in zip(*runs, strict=True)))


def ratio(runs: Runs, others: Runs, field: int = RATE) -> float:
    """Median of the ratios of each round, because the machine's speed varies between rounds."""
    return statistics.median(run[field] / other[field] for run, other in zip(runs, others, strict=True))


def _cpu_us(server: Server) -> float:
    ticks = 0
    for pid in server.workers():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S * 1e6


def memory_bytes(server: Server) -> int:
    """Resident memory of the largest worker."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in server.workers()]
    return max(int(status.partition("VmRSS:")[2].split()[0]) for status in statuses) * 1024
