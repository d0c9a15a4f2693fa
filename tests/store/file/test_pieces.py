"""A group that is written in pieces, for others to read ahead, is recorded as a whole or not at all."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from payments.domain.commands import Command, decide
from payments.domain.decisions import Decision, Outcome
from payments.domain.sessions import HEARTBEAT, START, SessionEvent
from payments.errors import Unavailable
from payments.store.file import store as engine
from payments.store.file.codec import decode
from payments.store.file.store import FileStore
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk, Step, Take
from tests.harness import NOON_MS, event, file_store, journal_lines, journal_path
from tests.store.file.history import facts, lay, opened, torn_tails

JOURNAL = "ledger-events.log"
NO_SPACE, IO_ERROR = Fail(errno.ENOSPC), Fail(errno.EIO)
FIRST = [event("s-1", START)]
GROUP = [event("s-1", HEARTBEAT, NOON_MS + 1000), *(event(f"s-{number}", START) for number in range(2, 6))]
"""Two pieces and a half."""


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PIECE_ENTRIES", 2)


@pytest.fixture
def disk() -> ScriptedDisk:
    return ScriptedDisk()


@pytest.fixture
def store(tmp_path: Path, disk: ScriptedDisk) -> FileStore:
    """A store on ``disk`` that has recorded ``FIRST``."""
    store = file_store(tmp_path, disk=disk)
    store.execute(FIRST)
    disk.log.clear()
    return store


def check_recorded_once(store: FileStore, folder: Path, group: Sequence[SessionEvent]) -> None:
    """``group``, sent again, is recorded behind ``FIRST`` alone, and a start comes to the same."""
    results = store.execute(group)
    assert [result.kind for result in results if isinstance(result, Outcome)] == ["recorded"] * len(group)
    after = facts(store)
    store.close()
    assert after[0] == len(journal_lines(folder)) == 1 + len(group)
    assert torn_tails(folder) == []
    lay(folder, journal_path(folder).read_bytes())
    assert opened(folder) == after


def test_a_long_group_is_written_in_pieces_and_synced_once(
    store: FileStore, disk: ScriptedDisk, tmp_path: Path
) -> None:
    check_recorded_once(store, tmp_path, GROUP)
    assert disk.log[:4] == [("write", JOURNAL)] * 3 + [("sync", JOURNAL)]


@pytest.mark.parametrize(
    "steps",
    [[None, NO_SPACE], [None, None, NO_SPACE], [None, Take(1), NO_SPACE], [None, None, Take(350), NO_SPACE]],
    ids=["second", "third", "second, half", "third, half"],
)
def test_a_group_whose_later_piece_fails_is_not_recorded(
    steps: list[Step], store: FileStore, disk: ScriptedDisk, tmp_path: Path
) -> None:
    before, known = journal_path(tmp_path).read_bytes(), facts(store)
    disk.script("write", JOURNAL, *steps)
    with pytest.raises(Unavailable, match="no room for another entry"):
        store.execute(GROUP)
    # And before anybody is told so, that is on disk: no crash brings it back.
    assert disk.log[-2:] == [("truncate", JOURNAL), ("sync", JOURNAL)]
    assert journal_path(tmp_path).read_bytes() == before
    assert facts(store) == known
    check_recorded_once(store, tmp_path, GROUP)


def test_what_was_cut_off_is_not_taken_for_on_disk(store: FileStore, disk: ScriptedDisk, tmp_path: Path) -> None:
    """Else what is written in its place would need no sync, and say that it had been synced."""
    disk.script("write", JOURNAL, None, NO_SPACE)
    with pytest.raises(Unavailable, match="no room"):
        store.execute(GROUP)
    disk.log.clear()
    store.execute(GROUP[:1])
    assert [operation for operation, name in disk.log if name == JOURNAL] == ["write", "sync"]
    assert decode(journal_lines(tmp_path)[-1])[1] == 1
    store.close()


def test_a_group_that_a_fault_ends_is_not_recorded(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide_some(command: Command, *rest: object) -> Decision:
        if command is GROUP[3]:
            raise RuntimeError("a fault")
        return decide(command, *rest)  # type: ignore[arg-type]

    before, known = journal_path(tmp_path).read_bytes(), facts(store)
    monkeypatch.setattr(engine, "decide", decide_some)
    with pytest.raises(RuntimeError, match="a fault"):
        store.execute(GROUP)
    monkeypatch.undo()
    assert journal_path(tmp_path).read_bytes() == before
    assert facts(store) == known
    check_recorded_once(store, tmp_path, GROUP)


def test_pieces_that_cannot_be_cut_off_stay_and_are_read_on(
    store: FileStore, disk: ScriptedDisk, tmp_path: Path
) -> None:
    """As if the answer had been lost: whoever asks again is told what there is."""
    disk.script("write", JOURNAL, None, NO_SPACE)
    disk.script("truncate", JOURNAL, IO_ERROR, IO_ERROR)
    with pytest.raises(Unavailable, match="no room"):
        store.execute(GROUP)
    assert len(journal_lines(tmp_path)) == 3
    other = file_store(tmp_path, disk=HastyDisk())
    assert sorted(other.view().sessions) == ["s-1", "s-2"]
    assert facts(other) == facts(store)
    check = store.execute([event("s-9", START)])
    assert [result.kind for result in check if isinstance(result, Outcome)] == ["recorded"]
    assert facts(other) == facts(store)
    other.close()
    store.close()


def test_a_segment_is_sealed_between_groups_only(tmp_path: Path, disk: ScriptedDisk) -> None:
    store = file_store(tmp_path, disk=disk, segment_bytes=1)
    store.execute(FIRST)
    store.execute(GROUP)
    store.execute([event("s-9", START)])
    store.close()
    sizes = [path.read_bytes().count(b"\n") for path in sorted(journal_path(tmp_path).parent.glob(f"{JOURNAL}.0*"))]
    assert sizes == [1, len(GROUP)]


def test_a_group_of_which_a_crash_leaves_pieces_goes_on_behind_them(store: FileStore, tmp_path: Path) -> None:
    store.execute(GROUP)
    store.close()
    lines = journal_lines(tmp_path)
    path = journal_path(tmp_path)
    os.truncate(path, len(b"".join(lines[:3])))
    for name in ("sessions.json", "balances.json", "power_meter.json"):
        (tmp_path / name).unlink(missing_ok=True)
    again = file_store(tmp_path, disk=HastyDisk())
    assert facts(again)[0] == 3
    again.execute(GROUP[2:])
    assert sorted(again.view().sessions) == [f"s-{number}" for number in range(1, 6)]
    again.close()
