"""Malformed input is named with its file and line or record, and nothing is written."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from payments.importing import ImportRefused, read_folder
from tests.harness import state_of
from tests.importing.import_fixture import ImportFixture, copy_data, edit, load_settings

JOURNAL = "audit/ledger-events.log"


def _set(record: str, **fields: Any) -> Callable[[Any], None]:
    return lambda document: document[record].update(fields)


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def _problems(tmp_path: Path, change: Callable[[Path], None]) -> list[str]:
    """The problems that stop the import; checks that nothing is written."""
    env, theirs = ImportFixture(tmp_path / "ours"), copy_data(tmp_path)
    change(theirs)
    with pytest.raises(ImportRefused) as refused:
        env.take_over(theirs)
    assert (state_of(env.store).seq, env.registry.records()) == (0, {})
    return [problem.removeprefix(f"{theirs}/") for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("balances.json", lambda d: d.update({"orch-a": "NaN"}), "record orch-a: 'NaN' is not an amount of ETH"),
        ("balances.json", lambda d: d.update({"orch-a": None}), "record orch-a: 'None' is not an amount of ETH"),
        ("balances.json", lambda d: d.update({"or/ch": "1"}), 'record or/ch: orchestrator_id: "or/ch" is not an id'),
        ("balances.json", lambda _: ["1"], "balances.json: not a JSON object"),
        ("sessions.json", _set("s-open", last_billed_at="noon"), 'record s-open: last_billed_at: "noon" is not'),
        ("sessions.json", _set("s-open", last_billed_at=None), "record s-open: last_billed_at: Field may not be null."),
        ("sessions.json", _set("s-open", upstream_addr="host"), 'record s-open: upstream_addr: "host" is not'),
        ("sessions.json", _set("s-open", session_id="s-1"), "record s-open: \"session_id\" is 's-1'"),
        ("sessions.json", _set("s-ended", ended_at="noon"), 'record s-ended: "noon" is not an RFC 3339 time'),
        ("sessions.json", _set("s-open", last_seen_at="2030-01-01T00:00:00Z"), "one of the two clocks is wrong"),
        ("sessions.json", _set("s-open", last_billed_at="2030-01-01T00:00:00Z"), "one of the two clocks is wrong"),
        ("sessions.json", _set("s-open", ended_at=""), 'record s-open: "" is not an RFC 3339 time'),
        ("sessions.json", lambda d: d.update({"s-x": 1}), "record s-x: not a JSON object"),
        ("registry.json", _set("orch-a", host_public_ip="a.example"), "record orch-a: host_public_ip: \"a.example\""),
        ("registry.json", _set("orch-a", address="0x1"), "(or register this orchestrator here first"),
        ("registry.json", _set("orch-a", first_seen="once"), "record orch-a: first_seen:"),
        ("registry.json", _set("orch-a", orchestrator_id="b"), "record orch-a: \"orchestrator_id\" is 'b'"),
        ("power_meter.json", _set("orch-a", state=""), "record orch-a: state: Must be 1 to 128 printable characters."),
        ("power_meter.json", _set("orch-a", last_billed_at="2030-01-01T00:00:00Z"), "one of the two clocks is wrong"),
    ],
)  # fmt: skip
def test_record_is_named(tmp_path: Path, name: str, change: Callable[[Any], Any], problem: str) -> None:
    [said] = _problems(tmp_path, lambda theirs: edit(theirs, name, change))
    assert said.startswith(name)
    assert problem in said


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (_line("{"), "not JSON"),
        (_line("[]"), "not a JSON object"),
        (_line('{"event":"credit","orchestrator_id":"orch-a"}'), "\"delta\": 'None' is not an amount of ETH"),
        (_line('{"event":"credit","orchestrator_id":"","delta":"1"}'), '"orchestrator_id" is not there, or no string'),
        (_line('{"event":"gift","orchestrator_id":"orch-a","delta":"1"}'), "\"event\" is 'gift'"),
        (_line('{"event":"credit","orchestrator_id":"a","delta":"1","delta":"2"}'), "'delta' stands twice"),
        (_line('{"event":"credit","orchestrator_id":"a","delta":1e99999999999999999999}'), "too long an exponent"),
        (b"\xff\n", "not UTF-8"),
    ],
)
def test_journal_line_is_named_by_its_number(tmp_path: Path, line: bytes, problem: str) -> None:
    def spoil(theirs: Path) -> None:
        lines = (theirs / JOURNAL).read_bytes().splitlines(keepends=True)
        (theirs / JOURNAL).write_bytes(b"".join([*lines[:4], line, *lines[4:]]))

    [said] = _problems(tmp_path, spoil)
    assert said.startswith(f"{JOURNAL}, line 5: ")
    assert problem in said


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    def spoil(theirs: Path) -> None:
        (theirs / "registry.json").write_text("{")
        edit(theirs, "balances.json", lambda balances: balances.update({"orch-a": "x", "orch-b": "y"}))
        with (theirs / JOURNAL).open("a") as file:
            file.write("\n\n{}\n")

    said = _problems(tmp_path, spoil)
    assert [problem.split(":")[0] for problem in said] == [
        "registry.json", "balances.json, record orch-b", "balances.json, record orch-a", f"{JOURNAL}, line 13",
    ]  # fmt: skip


def test_payout_under_way_stops_the_import(tmp_path: Path) -> None:
    """Its balance is debited only once the transaction is confirmed, so it would be owed and paid again."""
    pending = '{"orch-d": {"amount_eth": "0.6", "tx_hash": "0xab", "recipient": "0x4"}}'
    [said] = _problems(tmp_path, lambda theirs: edit(theirs, "payouts.json", _set_text(theirs, pending)))
    assert said.startswith("payouts.json: a payout of 0.6 ETH to orch-d (transaction 0xab) is under way")


def _set_text(theirs: Path, text: str) -> Callable[[Any], None]:
    (theirs / "payouts.json").write_text(text)
    return lambda _: None


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    def spoil(theirs: Path) -> None:
        (theirs / "sessions.json").unlink()
        (theirs / "sessions.json").mkdir()

    assert _problems(tmp_path, spoil) == ["sessions.json: cannot be read (Is a directory)"]


def test_folder_that_is_still_written_to_is_refused(tmp_path: Path) -> None:
    """A balance changes while ``sessions.json`` is read, which a pipe delays here."""
    theirs = copy_data(tmp_path)
    (theirs / "sessions.json").unlink()
    os.mkfifo(theirs / "sessions.json")

    def write() -> None:
        with (theirs / "sessions.json").open("w") as pipe:
            edit(theirs, "balances.json", lambda balances: balances.update({"orch-d": "0.75"}))
            pipe.write("{}")

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        found = read_folder(theirs, load_settings(tmp_path / "ours"))
        writing.result()
    assert f"{theirs / 'balances.json'}: has changed while it was read; stop livepeer-ops first" in found.problems


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ImportRefused, match=r"balances\.json: is missing; is that the data folder of a livepeer-ops backend"
    ):
        read_folder(tmp_path, ImportFixture(tmp_path / "ours").settings)


@pytest.mark.parametrize("values", [{}, {"SESSIONS_PATH": "sessions.json"}], ids=["all", "one"])
def test_folder_that_is_our_own_is_refused(tmp_path: Path, values: dict[str, str]) -> None:
    """Starting here would replace its files with projections of our journal."""
    theirs = copy_data(tmp_path)
    values = {name: str(theirs / value) for name, value in values.items()}
    settings = load_settings(tmp_path / "ours" if values else tmp_path / "ours" / ".." / "livepeer-ops", **values)
    with pytest.raises(ImportRefused, match="is also where the settings keep a file"):
        read_folder(theirs, settings)
