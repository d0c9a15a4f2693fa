"""Lost sectors read as zeros: they are set aside if nothing in them was acknowledged, and refused otherwise."""

import random
from pathlib import Path

import pytest

from payments.domain.sessions import START
from payments.errors import Corrupt
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, HOST_B, Clock, event, file_store, journal_path, uncoded
from tests.store.file.history import Facts, History, ProjectionContents, commands, facts, lay, opened, shown, torn_tails

SECTOR = 512
SYNCED = 4
GROUP = tuple((f"s-{number}", START, (HOST_A, HOST_B)[number % 2]) for number in range(10, 18))
RANDOM_SETS = 150


@pytest.fixture(scope="module")
def grouped(history: History, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int, list[Facts]]:
    """A journal of four entries and eight more in one commit, the offset of those, and the facts after each entry."""
    folder = tmp_path_factory.mktemp("grouped")
    lay(folder, b"".join(history.lines[:SYNCED]))
    clock = Clock()
    store = file_store(folder, clock=clock, disk=HastyDisk())
    store.execute(commands(clock, GROUP))
    store.close()
    lines = journal_path(folder).read_bytes().splitlines(keepends=True)
    assert len(lines) == SYNCED + len(GROUP)
    known = history.facts[: SYNCED + 1]
    for count in range(SYNCED + 1, len(lines) + 1):
        lay(folder, b"".join(lines[:count]))
        known.append(opened(folder))
    return b"".join(lines), len(b"".join(lines[:SYNCED])), known


def without(journal: bytes, sectors: set[int], begin: int = 0) -> bytes:
    """``journal`` with zeros in ``sectors``, from byte ``begin`` on."""
    data = bytearray(journal)
    for sector in sectors:
        low, high = max(begin, sector * SECTOR), min(len(data), (sector + 1) * SECTOR)
        data[low:high] = bytes(high - low)
    return bytes(data)


def sets_of_sectors(begin: int, end: int) -> list[set[int]]:
    """Of the sectors of these bytes: each alone, all from each one on, and random sets."""
    sectors = range(begin // SECTOR, (end - 1) // SECTOR + 1)
    chance = random.Random(1)
    by_chance = [set(chance.sample(sectors, chance.randint(2, len(sectors)))) for _ in range(RANDOM_SETS)]
    return [{sector} for sector in sectors] + [set(sectors[number:]) for number in range(len(sectors))] + by_chance


def test_lost_sectors_of_a_commit_that_was_never_synced_are_set_aside(
    grouped: tuple[bytes, int, list[Facts]], tmp_path: Path
) -> None:
    journal, begin, known = grouped
    for sectors in sets_of_sectors(begin, len(journal)):
        data = without(journal, sectors, begin)
        first_lost = max(begin, min(sectors) * SECTOR)
        whole = journal[:first_lost].count(b"\n")
        kept = journal[: journal.rfind(b"\n", 0, first_lost) + 1]
        lay(tmp_path, data)
        assert opened(tmp_path) == known[whole]
        assert journal_path(tmp_path).read_bytes() == kept
        assert [torn.read_bytes() for torn in torn_tails(tmp_path)] == [data[len(kept) :]]


@pytest.mark.parametrize("length", [1, 2, 511, 512, 4096])
def test_room_that_was_made_and_never_written_is_set_aside(length: int, history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal + bytes(length))
    assert opened(tmp_path) == history.facts[-1]
    assert journal_path(tmp_path).read_bytes() == history.journal
    assert [torn.read_bytes() for torn in torn_tails(tmp_path)] == [bytes(length)]


def test_zeros_in_what_a_later_line_confirms_are_refused(history: History, tmp_path: Path) -> None:
    """With one commit for each line, each line confirms that the one before it is on disk."""
    path = journal_path(tmp_path)
    confirmed = history.journal.rindex(b"\n", 0, -1)
    for sector in range(confirmed // SECTOR):
        data = without(history.journal, {sector})
        lay(tmp_path, data)
        line = history.journal[: sector * SECTOR].count(b"\n") + 1
        with pytest.raises(Corrupt) as refusal:
            file_store(tmp_path, disk=HastyDisk())
        assert uncoded(refusal.value).startswith(f"{path}, line {line} (byte ")
        assert path.read_bytes() == data
        assert torn_tails(tmp_path) == []


@pytest.mark.parametrize("older", ProjectionContents._fields)
def test_zeros_in_what_a_projection_confirms_are_refused(
    older: str, history: History, grouped: tuple[bytes, int, list[Facts]], tmp_path: Path
) -> None:
    """The newer projections show the whole commit, so they were written after its sync; the start uses the older."""
    journal, begin, known = grouped
    lay(tmp_path, journal)
    assert opened(tmp_path) == known[-1]
    documents = shown(tmp_path)._replace(**{older: getattr(history.shown[SYNCED], older)})
    lay(tmp_path, without(journal, {begin // SECTOR + 1}, begin), documents)
    with pytest.raises(Corrupt, match=rf"line {SYNCED + 1} \(byte {begin}\)"):
        opened(tmp_path)
    assert torn_tails(tmp_path) == []


def test_a_commit_goes_on_where_the_torn_tail_was(grouped: tuple[bytes, int, list[Facts]], tmp_path: Path) -> None:
    journal, begin, _ = grouped
    lay(tmp_path, without(journal, {begin // SECTOR + 1}, begin))
    store = file_store(tmp_path, disk=HastyDisk())
    before = facts(store)[0]
    store.execute([event("s-new", START)])
    expected = facts(store)
    store.close()
    assert expected[0] == before + 1
    lay(tmp_path, journal_path(tmp_path).read_bytes())
    assert opened(tmp_path) == expected
