"""A start trusts a projection only as far as the journal's last lines agree."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from payments.domain.ledger import Adjustment, Payout
from payments.domain.readings import AWAKE, Reading
from payments.domain.sessions import END, HEARTBEAT, START
from payments.store.file import proof
from payments.store.file.store import FileStore
from tests.disk.scripted import HastyDisk
from tests.harness import NOON_MS, TERMS, Clock, event, file_store, rewrite, show_all
from tests.store.file.history import Facts, facts

METERED = TERMS._replace(power_rate_wei_per_minute=10**15)
TX = "0x" + "ab" * 32


def opened(folder: Path, segment_bytes: int = 4096) -> FileStore:
    return file_store(folder, METERED, Clock(NOON_MS + 600_000), HastyDisk(), segment_bytes)


@pytest.fixture
def known(tmp_path: Path) -> Facts:
    """A journal of several segments: open sessions, an ended one, readings, a payout."""
    store = opened(tmp_path)
    for minute in range(4):
        at_ms = NOON_MS + 60_000 * minute
        store.execute([event("s-1", HEARTBEAT, at_ms), event("s-2", HEARTBEAT, at_ms), Reading("orch-a", AWAKE, at_ms)])
    store.execute([event("s-2", END, NOON_MS + 240_000), Adjustment("orch-b", 7, "ref", "note")])
    store.execute([Payout("orch-a", 10**15, TX)])
    show_all(store, tmp_path)
    store.close()
    return facts_of(tmp_path)


def facts_of(folder: Path) -> Facts:
    store = opened(folder)
    try:
        return facts(store)
    finally:
        store.close()


def without_the_line(text: bytes) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(line for line in data.split(b"\n") if text not in line)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("balances.json", lambda data: data.replace(b'"balance":"0.', b'"balance":"9.', 1)),
        ("balances.json", without_the_line(b'"orch-a"')),
        ("sessions.json", lambda data: data.replace(b"08:03:00.000Z", b"08:01:00.000Z")),
        ("sessions.json", lambda data: data.replace(b'"billed_ms":180000', b'"billed_ms":1', 1)),
        ("sessions.json", without_the_line(b'"s-2"')),
        ("power_meter.json", lambda data: data.replace(b'"billed_ms":180000', b'"billed_ms":1', 1)),
    ],
    ids=["balance", "no balance", "billed again", "billed less", "forgotten", "power"],
)
def test_an_edited_projection_is_made_again(
    known: Facts, tmp_path: Path, name: str, edit: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Its checksum matches its content."""
    rewrite(tmp_path / name, edit if name != "sessions.json" else lambda data: _again(edit, data))
    edited = (tmp_path / name).read_bytes()
    with caplog.at_level(logging.WARNING):
        assert facts_of(tmp_path) == known
    assert "they are made again from it" in caplog.text
    assert (tmp_path / name).read_bytes() != edited


def _again(edit: Callable[[bytes], bytes], data: bytes) -> bytes:
    """Remove the comma that the last line may leave before the end."""
    return edit(data).removesuffix(b",")


def test_a_balance_from_before_a_payout_is_not_believed(known: Facts, tmp_path: Path) -> None:
    store = opened(tmp_path)
    before = (tmp_path / "balances.json").read_bytes()
    store.execute([Payout("orch-a", 5, "0x" + "cd" * 32)])
    show_all(store, tmp_path)
    store.close()
    after = facts_of(tmp_path)
    old = next(line for line in before.split(b"\n") if b'"orch-a"' in line).rstrip(b",")
    rewrite(
        tmp_path / "balances.json",
        lambda data: b"\n".join(old + b"," if b'"orch-a"' in line else line for line in data.split(b"\n")),
    )
    assert facts_of(tmp_path) == after


@pytest.mark.parametrize("seq", [None, b"1"], ids=["another amount", "an entry that is not about it"])
def test_a_balance_that_did_not_move_for_long_is_held_against_its_entry(
    known: Facts, tmp_path: Path, seq: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "MAX_BYTES", -1)
    balance = known[2]["orch-b"]
    old = b'"seq":%d' % balance.seq if seq else b'"balance":"0.000000000000000007"'
    new = b'"seq":1' if seq else b'"balance":"0.000000000000000008"'
    rewrite(tmp_path / "balances.json", lambda data: data.replace(old, new))
    assert facts_of(tmp_path) == known


def test_sound_projections_are_believed(known: Facts, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert facts_of(tmp_path) == known
    assert caplog.text == ""


def test_a_session_that_was_forgotten_stays_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    store.execute([event("s-1", START), event("s-1", END), event("s-2", START)])
    store.execute(store.due(NOON_MS + 10**9, 0, 0, limit=10))
    show_all(store, tmp_path)
    store.close()
    with caplog.at_level(logging.WARNING):
        assert [session.session_id for session in facts_of(tmp_path)[1]] == ["s-2"]
    assert caplog.text == ""
