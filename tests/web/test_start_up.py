"""What stops the start, over the real command line: said clearly, with an exit code, without a traceback."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import (
    HOST_A,
    ROOT,
    Server,
    event,
    file_store,
    free_port,
    journal_path,
    running_server,
    uncoded,
    until,
)

pytestmark = [pytest.mark.long, pytest.mark.processes]

SECRETS = {
    "PAYMENTS_SESSION_REPORTER_TOKEN": "s3cret-reporter",
    "PAYMENTS_VIEWER_TOKENS": "s3cret-viewer",
    "PAYMENTS_API_ADMIN_TOKEN": "s3cret-admin",
}


def refusal(folder: Path, **settings: str) -> str:
    """What a server on ``folder`` says that does not start; the master must end by itself, with an exit code."""
    server = Server(folder, {**SECRETS, **{f"PAYMENTS_{name}": value for name, value in settings.items()}})
    try:
        code = server.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.stop()
        pytest.fail(f"it has not ended:\n{server.log.read_text()}")
    said = uncoded(server.log.read_text())
    assert code != 0, said
    assert "payments: cannot start:\n" in said
    assert "s3cret" not in said
    assert "Traceback" not in said
    return said


def test_every_bad_setting_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, BIND="nowhere", POWER_PORT="0", SESSION_REAP_SECONDS="1h", VIEWER_TOKENS="s3cret two")
    assert said.removeprefix("payments: cannot start:\n").splitlines() == [
        'PAYMENTS_BIND: "nowhere" is neither HOST:PORT, such as 127.0.0.1:8081, nor unix:/path',
        'PAYMENTS_POWER_PORT: "0" is not between 1 and 65535',
        'PAYMENTS_SESSION_REAP_SECONDS: "1h" is not a whole number of seconds',
        "PAYMENTS_VIEWER_TOKENS: "
        "a token may hold printable ASCII without spaces only, or no HTTP header could carry it",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"DATA_DIR": "~no-such-user-here/data"}, id="home-of-nobody"),
        pytest.param({"BIND": "127.0.0.1:\u00b2"}, id="port-in-other-digits"),
    ],
)
def test_odd_setting_is_named_too(tmp_path: Path, settings: dict[str, str]) -> None:
    assert f"PAYMENTS_{next(iter(settings))}: " in refusal(tmp_path, **settings)


def test_env_file_is_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PAYMENTS_POWER_PORT=x\nPAYMENTS_CREDIT_UNIT=a label that is too long\n")
    said = refusal(tmp_path)
    assert "PAYMENTS_POWER_PORT: " in said
    assert "PAYMENTS_CREDIT_UNIT: " in said


def file_for_data(folder: Path) -> Path:
    (folder / "data").write_text("")
    return folder / "data"


def file_for_audit(folder: Path) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "audit").write_text("")
    return folder / "data" / "audit"


def folder_for_journal(folder: Path) -> Path:
    journal_path(folder / "data").mkdir(parents=True)
    return journal_path(folder / "data")


def folder_for_lock(folder: Path) -> Path:
    lock = journal_path(folder / "data").with_name("ledger-events.log.lock")
    lock.mkdir(parents=True)
    return lock


def folder_for_registry(folder: Path) -> Path:
    (folder / "data" / "registry.json").mkdir(parents=True)
    return folder / "data" / "registry.json"


@pytest.mark.parametrize(
    "obstruct", [file_for_data, file_for_audit, folder_for_journal, folder_for_lock, folder_for_registry]
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, obstruct: Callable[[Path], Path]) -> None:
    in_the_way = obstruct(tmp_path)
    said = refusal(tmp_path)
    assert f"\n{in_the_way}" in said
    assert " (Not a directory)" in said or " (Is a directory)" in said


def test_worker_that_cannot_start_stops_a_plain_gunicorn_too(tmp_path: Path) -> None:
    """Without the shipped configuration nothing has been looked at before the workers are made."""
    in_the_way = file_for_data(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{free_port()}", "wsgi:app"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT), "PAYMENTS_DATA_DIR": str(in_the_way)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert f"payments: cannot start:\n{in_the_way}" in uncoded(ended.stderr)
    assert "Traceback" not in uncoded(ended.stderr)


def test_registry_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    said = refusal(tmp_path, REGISTRY_PATH=str(tmp_path / "taken" / "registry.json"))
    assert f"\n{tmp_path / 'taken'}" in said


def test_broken_registry_without_a_good_copy_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "registry.json").write_text("{")
    said = refusal(tmp_path)
    assert f"\n{tmp_path / 'data' / 'registry.json'}: not JSON" in said
    assert "fix the file" in said


def test_bad_bootstrap_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.json"
    path.write_text('[{"orchestrator_id": "orch-a", "adress": ""}]')
    said = refusal(tmp_path, BOOTSTRAP_ORCHESTRATORS_PATH=str(path))
    assert f"\nPAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path}: record orch-a: adress: Unknown field." in said


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of five entries, without projections."""
    store = file_store(tmp_path / "data")
    for number in range(5):
        store.execute([event(f"s-{number}")])
    store.close()
    for name in ("sessions.json", "balances.json", "power_meter.json"):
        (tmp_path / "data" / name).unlink()
    return journal_path(tmp_path / "data")


def flip_a_bit(journal: Path, line: int) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = bytearray(lines[line - 1])
    damaged[30] ^= 1
    journal.write_bytes(b"".join([*lines[: line - 1], bytes(damaged), *lines[line:]]))


@pytest.mark.parametrize("line", [1, 3, 5])
def test_damaged_journal_is_named_with_line_and_remedy(tmp_path: Path, journal: Path, line: int) -> None:
    flip_a_bit(journal, line)
    damaged = journal.read_bytes()
    said = refusal(tmp_path)
    assert f"\n{journal}, line {line} " in said
    assert "restore it from a backup" in said
    assert journal.read_bytes() == damaged


def test_journal_without_a_line_in_the_middle_is_refused(tmp_path: Path, journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2] + lines[3:]))
    said = refusal(tmp_path)
    assert f"\n{journal}, line 3 " in said
    assert "restore it from a backup" in said


def test_torn_last_line_is_set_aside_and_reported(tmp_path: Path, journal: Path) -> None:
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"seq":6,"timest')
    with running_server(tmp_path) as server:
        assert server.get("/api/ledger/events", limit=1)["events"][0]["seq"] == 5
        assert "torn tail" in server.log.read_text()
    assert journal.read_bytes() == whole
    assert [path.read_bytes() for path in journal.parent.glob("*.torn-*")] == [b'{"seq":6,"timest']


def test_bootstrap_registers_at_start_and_leaves_changes_alone(tmp_path: Path) -> None:
    path = tmp_path / "bootstrap.json"
    path.write_text(f'[{{"orchestrator_id": "orch-a", "host_public_ip": "{HOST_A}"}}]')
    with running_server(tmp_path, {"PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH": str(path)}) as server:
        assert server.get("/api/orchestrators/orch-a")["host_public_ip"] == HOST_A
        changed = server.register("orch-a", host_name="changed.example")
        assert server.stop() == 0
        server.start()
        assert server.get("/api/orchestrators")["orchestrators"] == [changed]


def test_reload_that_could_not_start_is_not_begun(tmp_path: Path) -> None:
    """By itself gunicorn would end, and the API with it."""
    settings = tmp_path / ".env"
    with running_server(tmp_path) as server:
        workers = server.workers()
        settings.write_text("PAYMENTS_POWER_PORT=x\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "Not reloaded" in server.log.read_text())
        assert 'PAYMENTS_POWER_PORT: "x" is not a whole number' in server.log.read_text()
        assert server.report(session_id="s-1", upstream_addr=HOST_A).status_code == 200
        assert server.workers() == workers
        settings.write_text("PAYMENTS_POWER_PORT=9191\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(workers))
        server.wait_ready()


def test_worker_that_takes_another_ones_place_has_its_settings(tmp_path: Path) -> None:
    """Not those that ``.env`` has by then: at two rates at once, what a moment earns would be a matter of chance."""
    settings = tmp_path / ".env"
    settings.write_text("PAYMENTS_CREDIT_UNIT=before\n")
    with running_server(tmp_path) as server:
        settings.write_text("PAYMENTS_CREDIT_UNIT=after\n")
        os.kill(server.workers()[0], signal.SIGKILL)
        until(lambda: server.log.read_text().count("Booting worker") == 3)
        server.register()
        server.wait_ready()
        for kind in ("start", "end"):
            server.report(session_id="s-1", upstream_addr=HOST_A, event=kind)
        units = {server.get("/api/ledger/balances")["balances"][0]["credit_unit"] for _ in range(20)}
        assert units == {"before"}
        settings.write_text("PAYMENTS_POWER_PORT=x\n")
        os.kill(server.workers()[0], signal.SIGKILL)
        until(lambda: server.log.read_text().count("Booting worker") == 4)
        settings.write_text("PAYMENTS_CREDIT_UNIT=after\n")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.log.read_text().count("Booting worker") == 6)
        server.wait_ready()
        until(lambda: server.get("/api/ledger/balances")["balances"][0]["credit_unit"] == "after")
