"""Worker processes, and their output: log, messages to the service manager, journal."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from payments.domain.times import read_time
from tests.audit import Audit, audit
from tests.harness import ROOT, journal_path, uncoded, until

POWER_RATE = Decimal("0.06")
QUICK = {
    "PAYMENTS_POWER_METER_ENABLED": "true",
    "PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE": str(POWER_RATE),
    "PAYMENTS_POWER_POLL_SECONDS": "1",
    "PAYMENTS_POWER_TIMEOUT_SECONDS": "1",
}
"""Settings of a meter with short intervals, so that tests need not wait."""


class WorkerProcess:
    """``python -m worker`` on the data folder of ``tests.harness.Server``.

    Attributes:
        process: the process; ``log``: its log file.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] = QUICK,
        *,
        module: tuple[str, ...] = ("worker",),
        environment: Mapping[str, str] | None = None,
        name: str = "worker",
    ) -> None:
        self.log = folder / f"{name}.log"
        inherited = {each: value for each, value in os.environ.items() if not each.startswith("PAYMENTS_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=folder,
                env={
                    **inherited,
                    "PYTHONPATH": str(ROOT),
                    "PAYMENTS_DATA_DIR": str(folder / "data"),
                    **settings,
                    **(environment or {}),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def lines(self, message: str | None = None) -> list[dict[str, Any]]:
        """Its log lines, all JSON; with ``message``, those that begin with it."""
        text = self.log.read_text()
        # The last line may be incomplete.
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [line for line in lines if message is None or uncoded(line["message"]).startswith(message)]

    def says(self, message: str, times: int = 1) -> dict[str, Any]:
        """Wait until so many log lines begin with ``message``; return the last."""
        until(lambda: len(self.lines(message)) >= times or self.process.poll() is not None)
        found = self.lines(message)
        assert len(found) >= times, self.log.read_text()
        return found[-1]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 20) -> int:
        """Signal it, and return its exit code."""
        if self.process.poll() is None:
            self.send(number)
        return self.process.wait(timeout=timeout_s)


@contextmanager
def running_worker(folder: Path, settings: Mapping[str, str] = QUICK, **options: Any) -> Iterator[WorkerProcess]:
    """A worker, killed at the end if it still runs."""
    worker = WorkerProcess(folder, settings, **options)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait()


def register(folder: Path, *records: Mapping[str, Any]) -> None:
    """Replace the registry of ``folder`` atomically, as an operator's editor does."""
    path = folder / "data" / "registry.json"
    path.parent.mkdir(exist_ok=True)
    path.with_name("edited").write_text(json.dumps([dict(record) for record in records]))
    path.with_name("edited").rename(path)


def register_urls(folder: Path, **urls: str) -> None:
    """Orchestrators with hosts at these addresses."""
    register(folder, *({"orchestrator_id": name, "power_url": url} for name, url in urls.items()))


class Manager:
    """The service manager's end of the notify socket."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # Not in the test's folder, because paths of sockets must be short.
        self.path = f"\0payments-test-{os.getpid()}-{id(self)}"
        self._socket.bind(self.path)
        self._socket.settimeout(15)
        self.environment = {"NOTIFY_SOCKET": f"@{self.path[1:]}"}

    def hears(self, line: str) -> list[str]:
        """All messages up to ``line``; fails if that does not come."""
        heard: list[str] = []
        while line not in heard:
            heard += self._socket.recv(4096).decode().split("\n")
        return heard

    def forget(self) -> list[str]:
        """All messages not read yet."""
        heard: list[str] = []
        while select.select([self._socket], [], [], 0)[0]:
            heard += self._socket.recv(4096).decode().split("\n")
        return heard

    def close(self) -> None:
        self._socket.close()


@contextmanager
def manager() -> Iterator[Manager]:
    listening = Manager()
    try:
        yield listening
    finally:
        listening.close()


def readings(folder: Path, orchestrator_id: str | None = None) -> list[dict[str, Any]]:
    """Readings in the journal of ``folder``, oldest first; none without a journal."""
    if not journal_path(folder / "data").exists():
        return []
    entries = audit(journal_path(folder / "data")).entries
    return [
        entry
        for entry in entries
        if entry["reason"] in ("power_read", "power_time") and orchestrator_id in (None, entry["orchestrator_id"])
    ]


def check_power(folder: Path, max_gap_ms: int, rate: Decimal = POWER_RATE) -> Audit:
    """Audit the earnings of power independently.

    Each paid millisecond is paid once, and lies between two consecutive readings, both awake, no further apart than the
    maximum gap. The credits of each orchestrator are its rate times its milliseconds, rounded down to wei.
    """
    found = audit(journal_path(folder / "data"))
    for name in {entry["orchestrator_id"] for entry in found.entries if "power" in entry}:
        _check_one(readings(folder, name), max_gap_ms, rate)
    return found


def _check_one(entries: list[dict[str, Any]], max_gap_ms: int, rate: Decimal) -> None:
    paid: list[tuple[int, int]] = []
    wei = 0
    assert "amount" not in entries[0]
    for before, entry in pairwise(entries):
        if entry["reason"] != "power_time":
            assert "amount" not in entry
            assert entry["metadata"]["delta_ms"] == 0
            continue
        said = entry["metadata"]
        start_ms, end_ms = read_time(said["interval_start"]), read_time(said["interval_end"])
        from_ms, to_ms = read_time(before["metadata"]["read_at"]), read_time(said["read_at"])
        assert (before["metadata"]["state"], said["state"]) == ("awake", "awake")
        assert from_ms <= start_ms < end_ms <= to_ms <= from_ms + max_gap_ms, entry
        assert said["delta_ms"] == end_ms - start_ms
        paid.append((start_ms, end_ms))
        wei += int(Decimal(entry["amount"]) * 10**18)
    # Compare any two, not only neighbours.
    for (_, end_ms), (start_ms, _) in pairwise(sorted(paid)):
        assert end_ms <= start_ms
    assert wei == int(rate * 10**18) * sum(end_ms - start_ms for start_ms, end_ms in paid) // 60_000
    power = entries[-1]["power"]
    assert power["billed_ms"] == sum(end_ms - start_ms for start_ms, end_ms in paid)
    begun_ms, end_ms = (read_time(entries[number]["metadata"]["interval_end"]) for number in (0, -1))
    assert power["billed_ms"] + sum(power["unbilled_ms"].values()) == end_ms - begun_ms
