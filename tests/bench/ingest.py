"""Events over HTTP, with wrk as the client, beside the null endpoint under the same gunicorn configuration."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.harness import Server

CONNECTIONS, BATCH = 16, 100
FEW, ORCHESTRATORS = 1_000, 50
_SCRIPT = Path(__file__).with_name("events.lua")
_SETTLED_WITHIN_S = 30
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Run(NamedTuple):
    """What wrk saw, and what it cost.

    Attributes:
        rate: requests answered per second; ``cpu_us`` is what one cost the workers, user and system together.
    """

    rate: float
    p99_ms: float
    cpu_us: float


class Ingest(NamedTuple):
    """Medians over the rounds, and the latency at half of the rate of ``single``.

    Attributes:
        single_ratio: the median of what ``single`` is to ``null`` in each round, for from one round to the next the
            machine may be another; so are ``many_ratio``, to ``single``, and ``batch_ratio``, of events to requests.
    """

    null: Run
    single: Run
    single_many: Run
    batch: Run
    null_half: Run
    single_half: Run
    single_ratio: float
    many_ratio: float
    batch_ratio: float
    bytes_per_session: float


def measure(folder: Path, many: int, seconds: float, rounds: int) -> Ingest:
    """Measure, with ``many`` live sessions beside ``FEW``. Leaves the files of the server that has ``many`` behind."""
    with _server(folder / "null", "tests.bench.null:app") as null, _server(folder / "few") as few:
        with _server(folder / "many") as busy:
            _begin(few, FEW)
            _begin(busy, many)
            # In turns: the machine has better and worse minutes.
            runs = [
                (
                    _wrk(null, seconds),
                    _wrk(few, seconds),
                    _settled(busy, _wrk(busy, seconds, sessions=many)),
                    _wrk(few, seconds, batch=BATCH),
                )
                for _ in range(rounds)
            ]
            nulls, singles, manies, batches = zip(*runs, strict=True)
            bytes_per_session = (_memory_bytes(busy) - _memory_bytes(few)) / (many - FEW)
        half = _median(singles).rate / 2
        calm = [(_wrk(null, seconds, rate=half), _wrk(few, seconds, rate=half)) for _ in range(rounds)]
        null_half, single_half = (_median(each) for each in zip(*calm, strict=True))
    return Ingest(
        _median(nulls),
        _median(singles),
        _median(manies),
        _median(batches),
        null_half,
        single_half,
        _ratio(singles, nulls),
        _ratio(manies, singles),
        _ratio(batches, nulls) * BATCH,
        bytes_per_session,
    )


@contextmanager
def _server(folder: Path, app: str = "wsgi:app") -> Iterator[Server]:
    folder.mkdir()
    server = Server(folder, app=app)
    try:
        server.wait_ready(60)
        yield server
    finally:
        server.stop()


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


def _wrk(server: Server, seconds: float, *, sessions: int = FEW, batch: int = 1, rate: float | None = None) -> Run:
    """Report heartbeats for so many seconds, as fast as they are answered, or at ``rate``."""
    environment = {
        "BENCH_SESSIONS": str(sessions),
        "BENCH_BATCH": str(batch),
        "BENCH_PAUSE_MS": str(round(CONNECTIONS / rate * 1000) if rate else 0),
        "BENCH_TOKEN": Server.REPORTER,
    }
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(_SCRIPT), server.url]
    before_us = _cpu_us(server)
    wrk = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    seen = json.loads(wrk.stdout.splitlines()[-1])
    assert not seen["errors"], wrk.stdout
    cpu_us = (_cpu_us(server) - before_us) / seen["requests"]
    return Run(seen["requests"] / seen["duration_us"] * 1e6, seen["p99_us"] / 1000, cpu_us)


def _settled(server: Server, run: Run) -> Run:
    """``run``, once ``server`` has written the projections that are due: that is nothing for the next to pay for."""
    ticks, deadline_s = -1.0, time.monotonic() + _SETTLED_WITHIN_S
    while ticks != (ticks := _cpu_us(server)) and time.monotonic() < deadline_s:
        time.sleep(1)
    return run


def _median(runs: Sequence[Run]) -> Run:
    return Run(*(statistics.median(values) for values in zip(*runs, strict=True)))


def _ratio(runs: Sequence[Run], others: Sequence[Run]) -> float:
    return statistics.median(run.rate / other.rate for run, other in zip(runs, others, strict=True))


def _cpu_us(server: Server) -> float:
    ticks = 0
    for pid in server.workers():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S * 1e6


def _memory_bytes(server: Server) -> int:
    """Resident memory of the largest worker."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in server.workers()]
    return max(int(status.partition("VmRSS:")[2].split()[0]) for status in statuses) * 1024
