"""The API and a worker together: what each mode pays, and how the worker maintains the API's files."""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from payments.domain.times import parse_time
from tests.audit import audit
from tests.harness import HOST_A, Server, journal_path, running_server, until
from tests.worker.hosts import AWAKE, PowerHost
from tests.worker.process import POWER_RATE, QUICK, WorkerProcess, check_power, readings, running_worker

pytestmark = pytest.mark.long

SESSION_RATE = Decimal("0.001")
EVERY_SECOND = {"PAYMENTS_SESSION_REAP_SECONDS": "1"}


@pytest.fixture
def host() -> Iterator[PowerHost]:
    with closing(PowerHost(AWAKE)) as running:
        yield running


@contextmanager
def both(folder: Path, settings: Mapping[str, str]) -> Iterator[tuple[Server, WorkerProcess]]:
    """The API and a worker with the same settings, on the same files."""
    rate = {"PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": str(SESSION_RATE)}
    settings = {**QUICK, **rate, **settings}
    with running_server(folder, settings) as server, running_worker(folder, settings) as worker:
        worker.says("started")
        yield server, worker


def report(server: Server, session_id: str = "s-1", event: str = "heartbeat") -> dict[str, Any]:
    response = server.report(session_id=session_id, event=event, upstream_addr=HOST_A)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def earned(folder: Path) -> dict[str, Decimal]:
    """Credits by reason."""
    sums: dict[str, Decimal] = {}
    for entry in audit(journal_path(folder / "data")).entries:
        if "amount" in entry:
            sums[entry["reason"]] = sums.get(entry["reason"], Decimal(0)) + Decimal(entry["amount"])
    return sums


def test_power_alone_pays_power_and_records_sessions(tmp_path: Path, host: PowerHost) -> None:
    with both(tmp_path, {"PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0"}) as (server, worker):
        server.register(power_url=host.url)
        report(server, event="start")
        until(lambda: len(readings(tmp_path)) >= 2)
        session = report(server, event="end")
        assert (session["billed_ms"], session["billed_eth"]) == (0, "0")
        assert list(session["unbilled_ms"]) == ["unpriced"]
        [power] = server.get("/api/power")["power"]
        assert (power["state"], power["is_fresh"]) == ("awake", True)
        assert Decimal(power["billed_eth"]) > 0
        assert worker.lines("PAYMENTS_") == []
    assert list(earned(tmp_path)) == ["power_time"]
    check_power(tmp_path, 180_000)


def test_sessions_alone_are_paid_and_reaped_and_nobody_is_asked(tmp_path: Path, host: PowerHost) -> None:
    with both(tmp_path, {"PAYMENTS_POWER_METER_ENABLED": "false", **EVERY_SECOND}) as (server, worker):
        server.register(power_url=host.url)
        report(server, "lost", "start")
        time.sleep(0.3)
        last = report(server, "lost")
        until(lambda: server.get("/api/sessions/lost")["status"] == "ended")
        session = server.get("/api/sessions/lost")
        assert session["end_reason"] == "timeout"
        assert session["ended_at"] == session["last_billed_at"] == last["last_billed_at"]
        assert session["billed_eth"] == last["billed_eth"]
        assert worker.says("sessions closed or purged")["closed"] == 1
        assert server.get("/api/power")["power"] == []
        assert server.get("/readyz")["worker"]["problem"] is None
        # A late heartbeat resumes it; the time between counts for the session too.
        resumed = report(server, "lost")
        assert (resumed["status"], resumed["outcome"]) == ("active", "recorded")
    assert host.asked == 0
    assert list(earned(tmp_path)) == ["session_time"]


def test_both_at_once_both_pay_and_it_is_warned_of(tmp_path: Path, host: PowerHost) -> None:
    with both(tmp_path, {}) as (server, worker):
        server.register(power_url=host.url)
        report(server, event="start")
        until(lambda: len(readings(tmp_path)) >= 2)
        session = report(server, event="end")
        assert "is paid for twice" in worker.says("PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE")["message"]
        [balance] = server.get("/api/ledger/balances")["balances"]
        until(lambda: server.get("/readyz")["worker"]["sweep"] is not None)
        assert worker.stop() == 0
    sums = earned(tmp_path)
    assert set(sums) == {"power_time", "session_time"}
    assert sums["session_time"] == Decimal(session["billed_eth"])
    assert 0 < Decimal(balance["balance"]) <= sum(sums.values())
    check_power(tmp_path, 180_000, POWER_RATE)


def test_sessions_earn_only_while_their_host_is_known_to_be_awake(tmp_path: Path, host: PowerHost) -> None:
    gap_ms = 2000
    settings = {
        "PAYMENTS_SESSION_REQUIRE_AWAKE": "true",
        "PAYMENTS_POWER_MAX_GAP_SECONDS": str(gap_ms // 1000),
        "PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE": "0",
    }
    with both(tmp_path, settings) as (server, worker):
        server.register(power_url=host.url)
        until(lambda: bool(server.get("/api/power")["power"]))
        report(server, event="start")
        until(lambda: len(readings(tmp_path)) >= 2)
        awake = report(server)
        assert awake["unbilled_ms"] == {}
        assert awake["billed_ms"] > 500
        worker.stop(signal.SIGKILL)
        until(lambda: not server.get("/api/power")["power"][0]["is_fresh"])
        time.sleep(0.3)
        [power] = server.get("/api/power")["power"]
        asleep = report(server)
        covered_ms = parse_time(power["read_at"]) + gap_ms - parse_time(awake["last_billed_at"])
        assert asleep["billed_ms"] - awake["billed_ms"] == covered_ms
        assert asleep["unbilled_ms"]["asleep"] >= 300
        later = report(server)
        assert later["billed_ms"] == asleep["billed_ms"]
        assert set(later["unbilled_ms"]) == {"asleep"}


def test_sessions_that_ended_long_ago_are_forgotten_and_the_journal_keeps_them(tmp_path: Path) -> None:
    settings = {
        **EVERY_SECOND,
        "PAYMENTS_POWER_METER_ENABLED": "false",
        "PAYMENTS_SESSION_RETENTION_HOURS": "1",
        "PAYMENTS_SESSION_MAX_EVENT_AGE_SECONDS": "7200",
    }
    with running_server(tmp_path, settings) as server:
        server.register()
        report(server, "old", "start")
        report(server, "old", "end")
        for off_s, forgets in ((7000, False), (7300, True)):
            (tmp_path / "clock").write_text(str(off_s))
            module = ("tests.worker.launcher", str(tmp_path / "clock"))
            with running_worker(tmp_path, {**QUICK, **settings}, module=module, name=f"at-{off_s}") as worker:
                if forgets:
                    assert worker.says("sessions closed or purged")["purged"] == 1
                else:
                    until(lambda: journal_path(server.data).with_name("ledger-events.log.worker.json").exists())
                assert worker.stop() == 0
            found = server.call("GET", "/api/sessions/old", token=server.VIEWER).status_code
            assert found == (404 if forgets else 200)
        assert server.get("/api/sessions")["sessions"] == []
        events = server.get("/api/ledger/events", session_id="old")["events"]
        assert events[0]["reason"] == "session_forgotten"
        assert len(events) == 3
        assert '"old"' not in (server.data / "sessions.json").read_text()


def test_a_running_worker_compresses_what_the_journal_has_sealed(tmp_path: Path) -> None:
    settings = {"PAYMENTS_POWER_METER_ENABLED": "false", "PAYMENTS_JOURNAL_SEGMENT_BYTES": "4096"}
    with running_server(tmp_path, settings) as server:
        server.register()
        for number in range(40):
            report(server, f"s-{number}")
        folder = journal_path(server.data).parent
        sealed = {path.name for path in folder.glob("*.log.0*")}
        assert len(sealed) > 3
        with running_worker(tmp_path, {**QUICK, **settings}) as worker:
            until(lambda: {path.name for path in folder.glob("*.log.0*")} == {f"{name}.gz" for name in sealed})
            assert len(server.get("/api/ledger/events", limit=100)["events"]) == 40
            report(server, "s-1", "end")
            assert worker.stop() == 0
    assert len(audit(journal_path(tmp_path / "data")).entries) == 41


def test_projections_that_an_api_worker_died_over_are_brought_up_to_date(tmp_path: Path) -> None:
    """Even though no more events come."""
    names = ("sessions.json", "balances.json", "power_meter.json")
    settings = {"PAYMENTS_POWER_METER_ENABLED": "false", "PAYMENTS_SESSION_REAP_SECONDS": "1000"}
    quick = {**settings, "PAYMENTS_SESSION_REAP_SECONDS": "1"}
    with running_worker(tmp_path, {**QUICK, **quick}) as worker:
        worker.says("started")
        with running_server(tmp_path, settings) as server:
            report(server, "first", "end")
            before = {name: (server.data / name).read_bytes() for name in names}
            time.sleep(0.2)
            worker.send(signal.SIGSTOP)
            report(server, "second", "end")
            for pid in [server.process.pid, *server.workers()]:
                os.kill(pid, signal.SIGKILL)
            server.process.wait()
        # As if they had died before they wrote them.
        for name, content in before.items():
            (server.data / f"{name}.put").write_bytes(content)
            shutil.move(server.data / f"{name}.put", server.data / name)
        worker.send(signal.SIGCONT)
        until(lambda: '"second"' in (server.data / "sessions.json").read_text())
        assert worker.stop() == 0
