"""``payments import livepeer-ops``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from payments.clock import now_ms
from payments.domain.times import format_time
from tests.cli.command import run, settle
from tests.harness import journal_path
from tests.importing.import_fixture import copy_data, edit

Command = Callable[..., Result]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The folder of livepeer-ops; ``s-open`` was seen a moment ago."""
    folder = copy_data(tmp_path)
    billed, seen = format_time(now_ms() - 600_000), format_time(now_ms() - 5000)
    times = {"last_billed_at": billed, "last_seen_at": seen}
    edit(folder, "sessions.json", lambda sessions: sessions["s-open"].update(times))
    return folder


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``payments`` with these arguments on the data folder ``data``, which does not exist yet."""
    settle(tmp_path, monkeypatch, PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE="0.0001")
    return lambda *arguments: run(*map(str, arguments))


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_import_shows_in_what_the_other_commands_show(command: Command, theirs: Path) -> None:
    result = command("import", "livepeer-ops", theirs, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == "payments: done: 4 orchestrators registered, 4 entries recorded\n"
    assert {json.loads(line)["what"] for line in result.stdout.splitlines()} >= {"orchestrator", "balance", "session"}
    balances = command("ledger", "balances", "--json").stdout.splitlines()
    assert {(each := json.loads(line))["orchestrator_id"]: each["balance"] for line in balances} == {
        "orch-a": "0.012021366666666666", "orch-c": "-0.25", "orch-d": "0.625",
    }  # fmt: skip
    [session] = map(json.loads, command("sessions", "list", "--json").stdout.splitlines())
    assert (session["session_id"], session["status"], session["orchestrator_id"]) == ("s-open", "active", "orch-a")
    assert len(command("orchestrators", "list", "--json").stdout.splitlines()) == 4


def test_dry_run_shows_the_same_and_writes_nothing(command: Command, theirs: Path, tmp_path: Path) -> None:
    before = _files(tmp_path)
    dry = command("import", "livepeer-ops", theirs, "--dry-run")
    assert (dry.exit_code, dry.stderr) == (0, "payments: dry run; nothing was recorded\n")
    assert _files(tmp_path) == before
    assert not (tmp_path / "data").exists()
    assert "0.625, as balances.json says" in dry.stdout


def test_second_run_records_nothing(command: Command, theirs: Path, tmp_path: Path) -> None:
    command("import", "livepeer-ops", theirs)
    journal, records = journal_path(tmp_path / "data"), tmp_path / "data" / "registry.json"
    before = journal.read_bytes(), records.read_bytes()
    dry = command("import", "livepeer-ops", theirs, "--dry-run")
    again = command("import", "livepeer-ops", theirs)
    assert (dry.exit_code, again.exit_code) == (0, 0)
    assert again.stderr == "payments: done: 0 orchestrators registered, 0 entries recorded\n"
    assert (journal.read_bytes(), records.read_bytes()) == before


@pytest.mark.parametrize("lines", range(4))
def test_import_after_a_crash_completes_it(command: Command, theirs: Path, tmp_path: Path, lines: int) -> None:
    """The journal ends within a line, as after a crash, and there are no projections."""
    command("import", "livepeer-ops", theirs)
    whole = _books(command)
    journal = journal_path(tmp_path / "data")
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*kept[:lines], kept[lines][: len(kept[lines]) // 2]]))
    for name in ("balances.json", "sessions.json", "power_meter.json"):
        (tmp_path / "data" / name).unlink()
    result = command("import", "livepeer-ops", theirs)
    assert result.exit_code == 0, result.output
    assert f"0 orchestrators registered, {4 - lines} entries recorded" in result.stderr
    assert _books(command) == whole


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["import", "dry-run"])
def test_malformed_input_stops_the_import(command: Command, theirs: Path, tmp_path: Path, dry: list[str]) -> None:
    edit(theirs, "balances.json", lambda balances: balances.update({"orch-a": "much"}))
    result = command("import", "livepeer-ops", theirs, *dry)
    assert result.exit_code == 1
    assert result.stderr == (
        "payments: PAY-O11 nothing is imported until this is fixed:\n"
        f"{theirs}/balances.json, record orch-a: 'much' is not an amount of ETH\n"
    )
    assert not (tmp_path / "data").exists()
    assert ("orch-d" in result.stdout) == bool(dry)


def test_import_is_not_asked_of_an_api_elsewhere(command: Command, theirs: Path) -> None:
    result = command("--api-url", "http://127.0.0.1:9", "import", "livepeer-ops", theirs)
    assert result.exit_code == 2
    assert "without --api-url" in result.stderr


def test_our_own_folder_is_refused(command: Command, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_DATA_DIR", str(theirs))
    before = _files(theirs)
    result = command("import", "livepeer-ops", theirs)
    assert result.exit_code == 1
    assert "set PAYMENTS_DATA_DIR to another folder" in result.stderr
    assert _files(theirs) == before


def _books(command: Command) -> list[str]:
    """Balances and sessions, without recording times."""
    balances = [json.loads(line) for line in command("ledger", "balances", "--json").stdout.splitlines()]
    owed = [f"{each['orchestrator_id']} {each['balance']} {each['seq']}" for each in balances]
    return owed + command("sessions", "list", "--json").stdout.splitlines()
