"""The worker as a service: signals, the service manager, its lease, its log."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from payments.domain.times import parse_time
from payments.worker_status import read_status
from tests.harness import file_engine, journal_path, uncoded, until
from tests.worker.hosts import AWAKE, PowerHost, hangs, running_host
from tests.worker.process import QUICK, check_power, manager, readings, register_urls, running_worker


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An orchestrator with an awake host."""
    with closing(PowerHost(AWAKE)) as host:
        register_urls(tmp_path, orch=host.url)
        yield tmp_path


def env_file(folder: Path, **settings: str) -> None:
    """Settings that may change at a reload."""
    named = QUICK | {f"PAYMENTS_{name}": value for name, value in settings.items()}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in named.items()))


def shown(folder: Path, name: str) -> Any:
    return json.loads((folder / "data" / name).read_text())


def test_the_service_manager_hears_when_it_is_ready_well_and_stopping(folder: Path) -> None:
    """After it has stopped, projections show everything that it recorded."""
    with manager() as listening, running_worker(folder, environment=listening.environment) as worker:
        assert listening.hears("READY=1") == ["READY=1"]
        assert journal_path(folder / "data").exists()
        listening.hears("STATUS=1 awake, 0 asleep, 0 unknown")
        worker.says("sweep", 2)
        listening.hears("WATCHDOG=1")
        begun_s = time.monotonic()
        worker.send(signal.SIGTERM)
        assert "READY=1" not in listening.hears("STOPPING=1")
        assert worker.stop() == 0
        assert time.monotonic() - begun_s < 3
    last = readings(folder)[-1]
    [record] = shown(folder, "power_meter.json")["power"]
    assert (record["orchestrator_id"], record["read_at"]) == ("orch", last["metadata"]["read_at"])
    [balance] = shown(folder, "balances.json")["balances"]
    assert balance["balance"] == last["balance"]


def test_sigterm_in_mid_sweep_ends_it_soon_and_records_nothing(tmp_path: Path) -> None:
    # All of the sweep would take 14 s: 64 hosts at a time, 2 s each.
    settings = {**QUICK, "PAYMENTS_POWER_TIMEOUT_SECONDS": "2", "PAYMENTS_POWER_POLL_SECONDS": "60"}
    with running_host(hangs) as host, running_worker(tmp_path, settings) as worker:
        register_urls(tmp_path, **{f"o-{each}": host.url for each in range(400)})
        until(lambda: host.asked > 60)
        begun_s = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - begun_s < 8
    assert readings(tmp_path) == []


def test_sighup_takes_over_settings_that_changed(folder: Path) -> None:
    env_file(folder, POWER_CREDIT_ETH_PER_MINUTE="0.06")
    with manager() as listening, running_worker(folder, {}, environment=listening.environment) as worker:
        worker.says("sweep", 2)
        env_file(folder, POWER_CREDIT_ETH_PER_MINUTE="0.6", SESSION_CREDIT_ETH_PER_MINUTE="0.001")
        worker.send(signal.SIGHUP)
        heard = listening.hears("RELOADING=1")
        assert heard[heard.index("RELOADING=1") + 1].startswith("MONOTONIC_USEC=")
        listening.hears("READY=1")
        assert worker.says("started", 2)["power_eth_per_minute"] == "0.6"
        swept = len(worker.lines("sweep"))
        worker.says("sweep", swept + 1)
        assert worker.stop() == 0
    rates = [each["metadata"]["rate_eth_per_minute"] for each in readings(folder) if "amount" in each]
    assert list(dict.fromkeys(rates)) == ["0.06", "0.6"]


def test_sighup_with_bad_settings_changes_nothing_and_says_which(folder: Path) -> None:
    env_file(folder)
    with manager() as listening, running_worker(folder, {}, environment=listening.environment) as worker:
        listening.hears("READY=1")
        worker.says("sweep")
        env_file(folder, POWER_PORT="none", POWER_TIMEOUT_SECONDS="0")
        worker.send(signal.SIGHUP)
        listening.hears("RELOADING=1")
        listening.hears("READY=1")
        line = worker.says("the settings stay as they were: ")
        assert line["level"] == "ERROR"
        assert 'PAYMENTS_POWER_PORT: "none" is not' in line["message"]
        assert "PAYMENTS_POWER_TIMEOUT_SECONDS: " in line["message"]
        worker.says("sweep", len(worker.lines("sweep")) + 1)
        assert len(worker.lines("started")) == 1
        assert worker.stop() == 0
    check_power(folder, 180_000)


def test_a_worker_that_was_stopped_for_a_while_goes_on(folder: Path) -> None:
    """Like a paused container or a sleeping laptop, it noticed nothing meanwhile."""
    with running_worker(folder) as worker:
        worker.says("started")
        for _ in range(2):
            worker.send(signal.SIGSTOP)
            time.sleep(1.2)
            worker.send(signal.SIGCONT)
            worker.says("sweep", len(worker.lines("sweep")) + 1)
        assert worker.process.poll() is None
        assert worker.stop() == 0


def test_a_second_worker_stands_by_and_takes_over_when_the_first_dies(folder: Path) -> None:
    with running_worker(folder, name="first") as first:
        first.says("sweep")
        with (
            manager() as listening,
            running_worker(folder, name="second", environment=listening.environment) as second,
        ):
            line = second.says("another worker is on duty; this one stands by")
            assert line["level"] == "WARNING"
            listening.hears("STATUS=standing by: another worker is on duty")
            first.says("sweep", len(first.lines("sweep")) + 2)
            assert second.lines("sweep") == []
            assert len(second.lines("another worker")) == 1
            report = read_status(file_engine(folder / "data"))
            assert report is not None
            assert report.pid == first.process.pid
            assert first.stop(signal.SIGKILL) == -signal.SIGKILL
            second.says("on duty")
            second.says("sweep", 2)
            assert second.stop() == 0
    check_power(folder, 180_000)
    # The new worker continues where the other stopped; nothing is lost.
    assert len([each for each in readings(folder) if "amount" not in each]) == 1


@pytest.mark.parametrize(
    ("argument", "code", "said"),
    [("--help", 0, "On SIGHUP it reads"), ("nonsense", 2, "unrecognized arguments: nonsense")],
)
def test_arguments_start_nothing(tmp_path: Path, argument: str, code: int, said: str) -> None:
    with running_worker(tmp_path, module=("worker", argument)) as worker:
        assert worker.process.wait(timeout=20) == code
    text = worker.log.read_text()
    assert text.startswith("usage: payments-worker [-h]\n")
    assert said in " ".join(text.split())
    assert not (tmp_path / "data").exists()


def test_bad_settings_end_it_and_are_named(tmp_path: Path) -> None:
    settings = {"PAYMENTS_POWER_POLL_SECONDS": "soon", "PAYMENTS_API_ADMIN_TOKEN": "s3cret two"}
    with running_worker(tmp_path, settings) as worker:
        assert worker.process.wait(timeout=20) == 1
    said = worker.log.read_text()
    assert said.startswith("payments-worker: cannot start:\n")
    assert 'PAYMENTS_POWER_POLL_SECONDS: "soon" is not a whole number of seconds' in said
    assert "PAYMENTS_API_ADMIN_TOKEN: " in said
    assert "s3cret" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "name", ["data/audit/ledger-events.log", "data/audit/ledger-events.log.worker.lock", "data/registry.json"]
)
def test_files_that_cannot_be_used_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir(parents=True)
    with running_worker(tmp_path) as worker:
        assert worker.process.wait(timeout=20) == 1
    said = worker.log.read_text()
    assert f"\n{tmp_path / name}: " in uncoded(said)
    assert "Traceback" not in said


def test_its_log_is_json_one_object_a_line(folder: Path) -> None:
    settings = {**QUICK, "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.001", "PAYMENTS_POWER_MAX_GAP_SECONDS": "1"}
    settings["PAYMENTS_POWER_POLL_SECONDS"] = "2"
    with running_worker(folder, settings, environment={"WATCHDOG_USEC": "1000000"}) as worker:
        worker.says("sweep", 2)
        assert worker.stop(signal.SIGINT) == 0
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    for line in lines:
        assert {"time", "level", "logger", "message"} <= set(line)
        parse_time(line["time"])
    started = lines[0]
    assert (started["message"], started["power_meter"], started["power_eth_per_minute"]) == ("started", True, "0.06")
    warnings = [uncoded(line["message"]) for line in lines if line["level"] == "WARNING"]
    assert [warning.split(" ")[0] for warning in warnings] == [
        "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE", "PAYMENTS_POWER_MAX_GAP_SECONDS", "WatchdogSec",
    ]  # fmt: skip
    sweep = worker.lines("sweep")[-1]
    counts = {name: sweep[name] for name in ("asked", "awake", "asleep", "unknown", "left_out", "credited_eth")}
    assert counts == {"asked": 1, "awake": 1, "asleep": 0, "unknown": 0, "left_out": 0, "credited_eth": "0"}
    assert 0 < sweep["seconds"] < 2


def test_without_the_meter_it_asks_nobody(folder: Path) -> None:
    with running_worker(folder, {**QUICK, "PAYMENTS_POWER_METER_ENABLED": "false"}) as worker:
        line = worker.says("PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE is set, but PAYMENTS_POWER_METER_ENABLED is not")
        assert line["level"] == "WARNING"
        until(lambda: read_status(file_engine(folder / "data")) is not None)
        assert worker.stop() == 0
    report = read_status(file_engine(folder / "data"))
    assert report is not None
    assert (report.sweep, worker.lines("sweep"), readings(folder)) == (None, [], [])
