"""``payments ledger export`` writes the same entries as the API, beside it, completely or not at all."""

import json
import os
import signal
import threading
import tracemalloc
from pathlib import Path

import pytest

from payments.domain.ledger import Adjustment, Payout
from payments.domain.money import parse_eth
from payments.exports import FORMATS
from tests.cli.command import done, process, records, refused, run, settle
from tests.disk.scripted import HastyDisk
from tests.exports.programs import BALANCES
from tests.harness import HOST_B, NOON_MS, Clock, Server, event, file_store, journal_path, until

TX = "0x" + "a" * 64
EXPORT = ("ledger", "export", "--format")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with six entries, four of which move money."""
    folder = settle(tmp_path, monkeypatch)
    clock = Clock()
    store = file_store(folder, clock=clock, disk=HastyDisk())
    for minute, fields in enumerate([{}, {}, {"upstream_addr": HOST_B}, {"kind": "end"}]):
        clock.now_ms = NOON_MS + minute * 60_000
        store.execute([event(at_ms=clock.now_ms, **fields)])
    store.execute([Adjustment("orch-a", -5, "ref", "=why"), Payout("orch-a", 7, TX)])
    store.close()
    return folder


def lengthen(data: Path, rounds: int) -> None:
    """Thousands more entries in ``data``."""
    store = file_store(data, disk=HastyDisk(), segment_bytes=4 << 20)
    for _ in range(rounds):
        store.execute([event(f"s-{number}", streamer_id="x" * 100) for number in range(1000)])
    store.close()


def strays(folder: Path) -> list[str]:
    """Other files left beside the export."""
    return [path.name for path in folder.iterdir() if path.name not in ("data", "out", "link")]


def test_json_lines_are_what_a_running_api_shows(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(server.data.parent, monkeypatch)
    server.register()
    for kind in ("start", "heartbeat", "end"):
        assert server.report(session_id="s-1", event=kind, upstream_addr="203.0.113.10").status_code == 200
    lines = done(*EXPORT, "jsonl").splitlines()
    shown = server.get("/api/ledger/events")["events"]
    assert [json.loads(line) for line in lines] == list(reversed(shown))
    assert len(shown) == 3


@pytest.mark.parametrize("kind", FORMATS)
def test_file_holds_what_standard_output_would(data: Path, tmp_path: Path, kind: str) -> None:
    printed = done(*EXPORT, kind)
    assert done(*EXPORT, kind, "-o", "out") == ""
    assert (tmp_path / "out").read_text() == printed
    assert printed.count("payout") >= 1
    assert strays(tmp_path) == []


@pytest.mark.parametrize("program", BALANCES)
def test_accounting_has_the_balances_that_the_api_shows_to_the_wei(data: Path, tmp_path: Path, program: str) -> None:
    done(*EXPORT, program, "-o", "out")
    owed = {
        name: -wei for name, wei in BALANCES[program](tmp_path / "out").items() if name.startswith("Liabilities:")
    }  # fmt: skip
    shown = {each["orchestrator_id"]: parse_eth(each["balance"]) for each in records("ledger", "balances")}
    assert owed == {f"Liabilities:Orchestrators:{name.capitalize()}": wei for name, wei in shown.items()}
    assert shown["orch-a"] % 10**9 == 10**9 - 12


def test_only_json_lines_have_what_moves_no_money(data: Path) -> None:
    counts = {kind: len(done(*EXPORT, kind).splitlines()) for kind in ("csv", "jsonl")}
    assert counts == {"csv": 1 + 5, "jsonl": 6}


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        (["--since", "2027-01-15T08:02:00Z"], [3, 4, 5, 6]),
        (["--until", "2027-01-15T08:02:00Z"], [1, 2]),
        (["--since", "2027-01-15T09:01:00+01:00", "--until", "2027-01-15T08:02:00Z"], [2]),
        (["--orchestrator", "orch-b"], [4]),
        (["--orchestrator", "nobody"], []),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_part_is_exported(data: Path, options: list[str], seqs: list[int]) -> None:
    assert [json.loads(line)["seq"] for line in done(*EXPORT, "jsonl", *options).splitlines()] == seqs


def test_file_stays_as_it_was_where_the_journal_is_damaged(data: Path, tmp_path: Path) -> None:
    journal = journal_path(data).read_bytes()
    journal_path(data).write_bytes(journal.replace(b"=why", b"=wry"))
    (tmp_path / "out").write_text("last month")
    assert "line 5" in refused(*EXPORT, "csv", "-o", "out")
    assert (tmp_path / "out").read_text() == "last month"
    assert strays(tmp_path) == []


def test_killed_export_leaves_no_half_a_file(data: Path, tmp_path: Path) -> None:
    lengthen(data, 12)
    killed = process(*EXPORT, "jsonl", "-o", "out")
    until(lambda: strays(tmp_path) != [] or killed.poll() is not None)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    done(*EXPORT, "jsonl", "-o", "out")
    assert (tmp_path / "out").read_text() == done(*EXPORT, "jsonl")


def test_full_or_missing_folder_is_named(data: Path) -> None:
    assert "missing/out: cannot be written (No such file" in refused(*EXPORT, "csv", "-o", "missing/out")


def test_pipe_and_link_stay_what_they_are(data: Path, tmp_path: Path) -> None:
    printed = done(*EXPORT, "csv")
    os.mkfifo(tmp_path / "out")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "out").read_text()))
    reader.start()
    done(*EXPORT, "csv", "-o", "out")
    reader.join()
    assert read == [printed]
    assert (tmp_path / "out").is_fifo()
    (tmp_path / "data" / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "data" / "target")
    done(*EXPORT, "csv", "-o", "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "data" / "target").read_text() == printed


def test_long_journal_is_never_in_memory(data: Path, tmp_path: Path) -> None:
    lengthen(data, 17)
    size = sum(path.stat().st_size for path in journal_path(data).parent.iterdir())
    assert size > 14_000_000
    tracemalloc.start()
    try:
        done(*EXPORT, "jsonl", "-o", "out")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < size / 2, most
    assert len((tmp_path / "out").read_bytes().splitlines()) > 11_000


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-url", "http://127.0.0.1:1", *EXPORT, "csv"],
        [*EXPORT, "xlsx"],
        [*EXPORT, "csv", "--since", "yesterday"],
        ["ledger", "export"],
    ],
    ids=["elsewhere", "unknown format", "no time", "no format"],
)
def test_wrong_command_line_is_refused(data: Path, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_journal_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(tmp_path, monkeypatch)
    assert "ledger-events.log: cannot be read" in refused(*EXPORT, "csv")
    assert not (tmp_path / "data").exists()
