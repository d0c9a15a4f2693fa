"""Backup and restore by the exact commands in deploy/README.rst."""

import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.audit import audit, read_journal
from tests.cli.command import payments_on_path
from tests.harness import Server, journal_path, running_server
from tests.readme import script
from tests.system.load import EdgeLoad, load
from tests.worker.process import WorkerProcess

pytestmark = pytest.mark.long

SEALING = {"PAYMENTS_JOURNAL_SEGMENT_BYTES": "8192"}
"""A journal that is sealed every few entries."""


class BackupFixture:
    """A server's data folder, and an operator's actions on it.

    Attributes:
        data: the folder; ``copy``: path of the next copy.
    """

    def __init__(self, server: Server, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._settings = settings or {}
        self.data = server.data
        self.copy = folder / "copy-1"
        self._folder = folder
        self._environment = payments_on_path(folder)
        self._count = 1

    def take_copy(self) -> Path:
        """Make a copy as the guide says."""
        taken = self.copy
        self.follow("copy")
        self._count += 1
        self.copy = self._folder / f"copy-{self._count}"
        return taken

    def follow(self, name: str, copy: Path | None = None) -> str:
        """Output of the commands called ``name``, which must succeed."""
        run = self.try_to(name, copy)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def try_to(self, name: str, copy: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the commands called ``name``."""
        clean = {each: value for each, value in self._environment.items() if not each.startswith("PAYMENTS_")}
        return subprocess.run(
            ["sh", "-c", script("deploy/README.rst", "Backup and restore", name)],
            env={**clean, **self._settings, "PAYMENTS_DATA_DIR": str(self.data), "copy": str(copy or self.copy)},
            cwd=self._folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def entries_checked(self, copy: Path) -> int:
        """Number of entries that ``payments ledger verify`` finds in ``copy``."""
        said = dict(line.split(maxsplit=1) for line in self.follow("check", copy).splitlines())
        return int(said["entries"])


@contextmanager
def compressing(folder: Path) -> Iterator[None]:
    """A worker that compresses sealed segments again and again, because each reload of its settings starts that."""
    worker = WorkerProcess(folder, {})
    ending = threading.Event()

    def urge() -> None:
        worker.says("started")
        while not ending.wait(0.1):
            worker.send(signal.SIGHUP)

    thread = threading.Thread(target=urge)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        assert worker.stop() == 0


def events_in(data: Path) -> list[tuple[str, str]]:
    """Session and event id of every entry in the audited journal of ``data``."""
    return [
        (entry["session"]["session_id"], entry["session"]["event_id"]) for entry in audit(journal_path(data)).entries
    ]


def check_restored(env: BackupFixture, server: Server, copy: Path, before: list[tuple[str, str]]) -> None:
    """Restore ``copy`` and start: check that ``before`` and all balances are there, and that recording continues."""
    original = read_journal(journal_path(env.data))
    env.follow("restore", copy)
    server.start()
    restored = read_journal(journal_path(env.data))
    assert original.startswith(restored)
    assert set(before) <= set(events_in(env.data))
    balances = audit(journal_path(env.data)).balances
    shown = server.get("/api/ledger/balances")["balances"]
    assert {each["orchestrator_id"]: Decimal(each["balance"]) for each in shown} == balances
    assert [each["orchestrator_id"] for each in server.get("/api/orchestrators")["orchestrators"]] == ["orch-a"]
    answer = server.report(session_id="s-0-0", event_id="behind-the-restore", upstream_addr="203.0.113.10")
    assert answer.json()["outcome"] == "recorded"
    assert events_in(env.data)[-1] == ("s-0-0", "behind-the-restore")


def test_a_copy_taken_under_load_restores_all_that_was_acknowledged(server: Server, tmp_path: Path) -> None:
    server.register()
    env = BackupFixture(server, tmp_path)
    with load(server) as edges:
        before = list(edges.acknowledged)
        copy = env.take_copy()
        edges.goes_on()
    assert len(before) <= env.entries_checked(copy) < len(edges.acknowledged)
    assert server.stop() == 0
    check_restored(env, server, copy, before)


def test_copies_are_whole_while_segments_are_sealed_and_compressed(tmp_path: Path) -> None:
    with running_server(tmp_path, SEALING) as server:
        server.register()
        env = BackupFixture(server, tmp_path)
        with load(server) as edges, compressing(tmp_path):
            edges.goes_on(100)
            copies = [(list(edges.acknowledged), env.take_copy()) for _ in _spread(edges, 5)]
        for before, copy in copies:
            assert env.entries_checked(copy) >= len(before)
            assert set(before) <= set(events_in(copy))
        forms = {path.suffix == ".gz" for _, copy in copies for path in (copy / "audit").glob("*.log.[0-9]*")}
        assert forms == {True, False}
        assert server.stop() == 0
        before, copy = copies[-1]
        check_restored(env, server, copy, before)


def test_what_stood_where_a_copy_is_restored_is_kept(server: Server, tmp_path: Path) -> None:
    server.register()
    server.report(session_id="s-1", upstream_addr="203.0.113.10")
    env = BackupFixture(server, tmp_path)
    copy = env.take_copy()
    server.stop()
    locks = set(env.data.rglob("*.lock"))
    kept = {path.name: path.read_bytes() for path in env.data.rglob("*") if path.is_file() and path not in locks}
    env.follow("restore", copy)
    assert {path.name: path.read_bytes() for path in env.data.rglob("before-*/*")} == kept
    assert set(env.data.rglob("*.lock")) == locks


def test_nothing_is_restored_under_a_running_api(server: Server, tmp_path: Path) -> None:
    server.register()
    env = BackupFixture(server, tmp_path)
    copy = env.take_copy()
    run = env.try_to("restore", copy)
    assert run.returncode == 1
    assert "audit is in use; stop the API, all workers and payments commands first" in run.stderr
    assert server.report(session_id="s-1", upstream_addr="203.0.113.10").status_code == 200


def test_a_journal_elsewhere_is_copied_and_restored_there(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "entries.log"
    named = {**SEALING, "PAYMENTS_LEDGER_JOURNAL_PATH": str(elsewhere)}
    with running_server(tmp_path, named) as server:
        server.register()
        env = BackupFixture(server, tmp_path, named)
        with load(server) as edges:
            edges.goes_on(100)
            copy = env.take_copy()
        assert env.entries_checked(copy) > 100
        assert server.stop() == 0
        env.follow("restore", copy)
        server.start()
        assert len(list(elsewhere.parent.glob("before-*/entries.log"))) == 1
        assert audit(elsewhere).entries == audit(journal_path(copy)).entries


def _spread(edges: EdgeLoad, times: int) -> Iterator[int]:
    """``times`` moments, each some events later."""
    for number in range(times):
        edges.goes_on(25)
        yield number
