"""The units, and the API's messages to systemd: ready once it is, alive while it is."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
import requests

from payments.edge.settings import EdgeSettings
from tests.harness import ROOT, Server, until
from tests.worker.process import Manager, manager

pytestmark = pytest.mark.long

UNITS = ROOT / "deploy" / "systemd"
SERVICES = ("payments-api.service", "payments-worker.service", "ps-gateway.service")
LIMIT_S = 4


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_to_little(name: str) -> None:
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", str(UNITS / name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr


def unit(name: str) -> list[tuple[str, str]]:
    lines = (UNITS / name).read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return [(key, value) for key, value in pairs]


def test_the_master_has_time_for_the_requests_in_hand() -> None:
    conf = (ROOT / "deploy" / "gunicorn.conf.py").read_text()
    grace_s = next(int(line.split("=")[1]) for line in conf.splitlines() if line.startswith("graceful_timeout"))
    assert int(dict(unit("payments-api.service"))["TimeoutStopSec"]) >= grace_s + 5


def test_the_gateway_has_time_to_drain() -> None:
    drain_s = next(each.metadata["default"] for each in fields(EdgeSettings) if each.name == "drain_s")
    assert int(dict(unit("ps-gateway.service"))["TimeoutStopSec"]) >= int(drain_s) + 5


@contextmanager
def told(folder: Path, watchdog: bool = True) -> Iterator[tuple[Server, Manager]]:
    """A server started as if by systemd, and the socket for its messages."""
    with manager() as listening:
        limit = {"WATCHDOG_USEC": str(LIMIT_S * 1_000_000)} if watchdog else {}
        server = Server(folder, {**listening.environment, **limit})
        try:
            yield server, listening
        finally:
            for pid in (*server.workers(), server.process.pid) if server.process.poll() is None else ():
                signal_to(pid, signal.SIGCONT)
            server.stop()


def signal_to(pid: int, number: signal.Signals) -> None:
    subprocess.run(["kill", f"-{number.value}", str(pid)], check=False, stderr=subprocess.DEVNULL)


def is_alive_py(pid: int) -> bool:
    return "alive.py" in Path(f"/proc/{pid}/cmdline").read_text()


def falls_silent(listening: Manager) -> bool:
    """Whether no sign of life comes within systemd's time-out, except for messages already sent."""
    time.sleep(LIMIT_S / 2)
    listening.forget()
    time.sleep(LIMIT_S)
    return "WATCHDOG=1" not in listening.forget()


def test_it_is_called_ready_when_an_event_can_be_recorded(tmp_path: Path) -> None:
    with told(tmp_path) as (server, listening):
        listening.hears("READY=1")
        assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
        listening.hears("WATCHDOG=1")
        listening.hears("WATCHDOG=1")


def test_without_a_watchdog_it_is_called_ready_and_no_more(tmp_path: Path) -> None:
    with told(tmp_path, watchdog=False) as (server, listening):
        listening.hears("READY=1")
        until(lambda: not any(map(is_alive_py, server.workers())))
        assert server.report(session_id="s-1", upstream_addr="203.0.113.10").status_code == 200


def test_a_master_that_is_stopped_shows_no_life_though_its_workers_answer(tmp_path: Path) -> None:
    with told(tmp_path) as (server, listening):
        listening.hears("WATCHDOG=1")
        signal_to(server.process.pid, signal.SIGSTOP)
        assert falls_silent(listening)
        assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
        signal_to(server.process.pid, signal.SIGCONT)
        listening.hears("WATCHDOG=1")


def test_workers_that_do_not_answer_are_no_life(tmp_path: Path) -> None:
    with told(tmp_path) as (server, listening):
        listening.hears("WATCHDOG=1")
        workers = [pid for pid in server.workers() if not is_alive_py(pid)]
        for pid in workers:
            signal_to(pid, signal.SIGSTOP)
        assert falls_silent(listening)
        for pid in workers:
            signal_to(pid, signal.SIGCONT)
        listening.hears("WATCHDOG=1")


def test_what_tells_ends_with_the_master(tmp_path: Path) -> None:
    with told(tmp_path) as (server, listening):
        listening.hears("WATCHDOG=1")
        telling = next(pid for pid in server.workers() if is_alive_py(pid))
        server.stop(signal.SIGKILL)
        until(lambda: not Path(f"/proc/{telling}").exists())


def test_nobody_is_told_where_nobody_listens(server: Server) -> None:
    assert len(server.workers()) == 2
    assert not any(map(is_alive_py, server.workers()))
