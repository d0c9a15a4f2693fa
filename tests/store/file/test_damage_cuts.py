"""In a journal that ends too early, a tail that no projection confirms is set aside; other damage is refused."""

from pathlib import Path

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from payments.errors import Corrupt
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, event, file_store, journal_path, projections, uncoded
from tests.store.file.history import History, ProjectionContents, facts, lay, live, opened, torn_tails

THREE = (("s-1", START, HOST_A), ("s-1", HEARTBEAT, HOST_A), ("s-1", END, HOST_A))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three entries, few enough to cut at every byte."""
    return live(tmp_path_factory.mktemp("short"), THREE)


def test_without_projections_the_whole_lines_are_kept_and_the_rest_set_aside(short: History, tmp_path: Path) -> None:
    """Cut at every byte of a line with money, and at some bytes of the line before it."""
    first, second = (len(line) for line in short.lines[:2])
    for cut in (*range(0, first, 7), *range(first, first + second + 1)):
        lay(tmp_path, short.journal[:cut])
        whole = short.journal[:cut].count(b"\n")
        kept = b"".join(short.lines[:whole])
        assert opened(tmp_path) == short.facts[whole]
        assert journal_path(tmp_path).read_bytes() == kept
        rest = short.journal[len(kept) : cut]
        assert [torn.read_bytes() for torn in torn_tails(tmp_path)] == ([rest] if rest else [])


def test_with_projections_of_all_of_it_every_cut_is_refused(short: History, tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    for cut in range(0, len(short.journal), 9):
        lay(tmp_path, short.journal[:cut], short.shown[-1])
        with pytest.raises(Corrupt, match="it was cut, changed, or is another one"):
            file_store(tmp_path, disk=HastyDisk())
        assert path.read_bytes() == short.journal[:cut]
        assert torn_tails(tmp_path) == []


@pytest.mark.parametrize("newer", ProjectionContents._fields)
def test_the_newer_projection_decides_what_was_acknowledged(newer: str, short: History, tmp_path: Path) -> None:
    documents = short.shown[1]._replace(**{newer: getattr(short.shown[2], newer)})
    lay(tmp_path, short.journal[:-7], documents)
    assert opened(tmp_path) == short.facts[2]
    lay(tmp_path, b"".join(short.lines[:2])[:-7], documents)
    with pytest.raises(Corrupt):
        opened(tmp_path)


def test_the_refusal_of_a_cut_names_the_files_and_the_remedy_works(short: History, tmp_path: Path) -> None:
    lay(tmp_path, b"".join(short.lines[:2]), short.shown[-1])
    with pytest.raises(Corrupt) as refusal:
        opened(tmp_path)
    sessions, *others = projections(tmp_path)
    assert uncoded(refusal.value) == (
        f"{sessions} shows entry 3, at byte {len(short.journal)} of {journal_path(tmp_path)}, but that is not what the "
        f"journal has there: it was cut, changed, or is another one. Restore the journal that belongs here; or, if "
        f"this one is right, remove {sessions} and start again"
    )
    sessions.unlink()
    for other in others:
        with pytest.raises(Corrupt, match=f"^PAY-J12 {other} shows entry 3"):
            opened(tmp_path)
        other.unlink()
    assert opened(tmp_path) == short.facts[2]


def test_another_journal_of_the_same_length_is_refused(short: History, tmp_path: Path) -> None:
    other = short.journal.replace(b"s-1", b"s-2")
    lay(tmp_path, other, short.shown[-1])
    with pytest.raises(Corrupt, match="is another one"):
        opened(tmp_path)


def test_a_missing_line_is_refused(history: History, tmp_path: Path) -> None:
    lay(tmp_path, b"".join(history.lines[:4] + history.lines[5:]))
    with pytest.raises(Corrupt, match=r"line 5 \(byte .*does not continue the chain"):
        opened(tmp_path)


def test_exchanged_lines_are_refused(history: History, tmp_path: Path) -> None:
    lines = list(history.lines)
    lines[4], lines[5] = lines[5], lines[4]
    lay(tmp_path, b"".join(lines))
    with pytest.raises(Corrupt, match=r"line 5 \(byte .*does not continue the chain"):
        opened(tmp_path)


def test_a_repeated_line_is_refused(history: History, tmp_path: Path) -> None:
    lay(tmp_path, history.journal + history.lines[-1])
    with pytest.raises(Corrupt, match=r"line 17 \(byte .*does not continue the chain"):
        opened(tmp_path)


def test_a_running_store_sets_a_dead_writers_torn_tail_aside(short: History, tmp_path: Path) -> None:
    """Another process was killed while writing; this one sets its rest aside and continues."""
    lay(tmp_path, b"".join(short.lines[:2]))
    store = file_store(tmp_path, disk=HastyDisk())
    with journal_path(tmp_path).open("ab") as journal:
        journal.write(short.lines[2][:-1])
    assert facts(store) == short.facts[2]
    assert [torn.read_bytes() for torn in torn_tails(tmp_path)] == [short.lines[2][:-1]]
    store.execute([event("s-2", START)])
    expected = facts(store)
    store.close()
    assert expected[0] == 3
    lay(tmp_path, journal_path(tmp_path).read_bytes())
    assert opened(tmp_path) == expected


def test_a_running_store_takes_over_a_dead_writers_whole_line(short: History, tmp_path: Path) -> None:
    lay(tmp_path, b"".join(short.lines[:2]))
    store = file_store(tmp_path, disk=HastyDisk())
    with journal_path(tmp_path).open("ab") as journal:
        journal.write(short.lines[2])
    assert facts(store) == short.facts[3]
    store.close()
    assert torn_tails(tmp_path) == []
