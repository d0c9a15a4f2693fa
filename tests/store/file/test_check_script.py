"""The verifier for third parties in the format's specification works as printed."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from payments.domain.money import format_eth
from payments.store.file.store import FileStore
from tests.harness import NOON_MS, ROOT, event, file_store, journal_path, state_of

MINUTE_MS = 60_000


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The specification's script, in a file."""
    said = (ROOT / "payments" / "store" / "file" / "FORMAT.rst").read_text()
    body = said[said.index("    import gzip") :]
    assert len(body.strip().splitlines()) < 25
    file = tmp_path / "check.py"
    file.write_text(dedent(body))
    return file


def live(folder: Path) -> FileStore:
    """A store with sealed segments, some of them compressed."""
    store = file_store(folder, segment_bytes=4096)
    for minute in range(30):
        store.execute([event(f"s-{minute % 3}", at_ms=NOON_MS + minute * MINUTE_MS)])
        if minute == 20:
            store.maintain()
    return store


def checked(script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(script), str(journal_path(folder))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.processes
def test_it_finds_a_sound_journal_sound_and_adds_it_up(script: Path, tmp_path: Path) -> None:
    store = live(tmp_path / "data")
    owed = {name: format_eth(balance.balance_wei) for name, balance in state_of(store).balances.items()}
    store.close()
    forms = {path.suffix == ".gz" for path in journal_path(tmp_path / "data").parent.glob("*.0000*")}
    assert forms == {True, False}
    run = checked(script, tmp_path / "data")
    assert (run.returncode, run.stderr) == (0, "")
    assert dict(line.split(" ") for line in run.stdout.splitlines()) == owed


@pytest.mark.processes
def test_it_names_the_entry_that_was_changed(script: Path, tmp_path: Path) -> None:
    live(tmp_path / "data").close()
    path = journal_path(tmp_path / "data")
    path.write_bytes(path.read_bytes().replace(b'"delta":"0.003"', b'"delta":"0.004"', 1))
    run = checked(script, tmp_path / "data")
    assert run.returncode == 1
    assert f"{path}, entry " in run.stderr
    assert run.stderr.rstrip().endswith(": changed")
