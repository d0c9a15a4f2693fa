"""A journal beyond its segment size is sealed, continued, and read as one."""

import errno
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Corrupt, Unavailable
from payments.store import EntryQuery
from payments.store.file.segments import sealed_path, sealed_segments
from payments.store.file.store import FileStore
from tests.audit import audit
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import NOON_MS, event, file_store, journal_path, show_all, state_of
from tests.store.file.history import facts
from tests.store.store_fixture import all_entries

SEGMENT_BYTES = 4096
EVENTS = 20


def opened(folder: Path) -> FileStore:
    return file_store(folder, disk=HastyDisk(), segment_bytes=SEGMENT_BYTES)


def beat(store: FileStore, number: int) -> None:
    """The event that becomes entry ``number`` + 1."""
    store.execute([event("s-1", HEARTBEAT if number else START, NOON_MS + 1000 * number)])


@pytest.fixture
def rotated(tmp_path: Path) -> Iterator[FileStore]:
    """A store with ``EVENTS`` entries in several segments."""
    store = opened(tmp_path)
    for number in range(EVENTS):
        beat(store, number)
    show_all(store, tmp_path)
    yield store
    store.close()


def test_the_chain_goes_on_from_segment_to_segment(rotated: FileStore, tmp_path: Path) -> None:
    assert len(sealed_segments(journal_path(tmp_path))) >= 3
    assert len(audit(journal_path(tmp_path)).entries) == EVENTS


def test_a_sealed_segment_is_read_only_and_named_by_its_first_seq(rotated: FileStore, tmp_path: Path) -> None:
    for first_seq, path in sealed_segments(journal_path(tmp_path)):
        assert path.name == f"ledger-events.log.{first_seq:020d}"
        assert path.read_bytes().startswith(b'{"seq":%d,' % first_seq)
        assert path.stat().st_size >= SEGMENT_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o400


@pytest.mark.parametrize("projections", ["kept", "gone"])
def test_a_start_finds_the_same_state(rotated: FileStore, tmp_path: Path, projections: str) -> None:
    if projections == "gone":
        (tmp_path / "sessions.json").unlink()
    again = opened(tmp_path)
    assert facts(again) == facts(rotated)
    beat(again, EVENTS)
    again.close()
    assert len(audit(journal_path(tmp_path)).entries) == EVENTS + 1


def test_a_start_with_projections_reads_only_what_they_do_not_show(rotated: FileStore, tmp_path: Path) -> None:
    _, oldest = sealed_segments(journal_path(tmp_path))[0]
    lines = oldest.read_bytes().splitlines(keepends=True)
    oldest.chmod(0o600)
    oldest.write_bytes(b"".join([*(b"damaged\n" for _ in lines[:-1]), lines[-1]]))
    assert state_of(opened(tmp_path)).seq == EVENTS


@pytest.mark.parametrize("place", [0, 1, -1], ids=["first", "second", "last"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_a_sealed_segment_that_is_missing_is_noticed(
    rotated: FileStore, tmp_path: Path, place: int, compressed: bool
) -> None:
    """Refused by a start, though projections show its content, and by a page, which would be incomplete."""
    if compressed:
        rotated.maintain()
    _, path = sealed_segments(journal_path(tmp_path))[place]
    path.unlink()
    with pytest.raises(Corrupt, match="the segment before it is missing"):
        opened(tmp_path)
    for query in (EntryQuery(), EntryQuery(session_id="nobody")):
        with pytest.raises(Corrupt, match=r"missing\. Stop all processes of Payments, and restore"):
            all_entries(rotated, query)


def test_a_damaged_line_is_noticed_by_a_search_for_another_one(rotated: FileStore, tmp_path: Path) -> None:
    """It might be an entry that the search wants."""
    _, oldest = sealed_segments(journal_path(tmp_path))[0]
    data = oldest.read_bytes()
    oldest.chmod(0o600)
    oldest.write_bytes(data.replace(b'"session_id":"s', b'"session_id":"z', 1))
    with pytest.raises(Corrupt, match="its checksum does not fit its content"):
        all_entries(rotated, EntryQuery(session_id="nobody"))


def test_readers_see_one_journal(rotated: FileStore) -> None:
    for limit in (1, 3, 7, EVENTS, 2 * EVENTS):
        seen: list[int] = []
        before: str | None = None
        while True:
            page = rotated.entries(EntryQuery(), before=before, limit=limit)
            seen += [entry.seq for entry in page.items]
            if (before := page.before) is None:
                break
        assert seen == list(range(EVENTS, 0, -1))


@pytest.mark.parametrize("before", range(EVENTS + 3))
def test_a_page_begins_wherever_it_is_asked_to(rotated: FileStore, before: int) -> None:
    page = rotated.entries(EntryQuery(), before=str(before), limit=2 * EVENTS)
    assert [entry.seq for entry in page.items] == list(range(min(before - 1, EVENTS), 0, -1))


def test_a_writer_takes_up_what_another_has_sealed(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    for number in range(EVENTS):
        beat(one if number % 7 else other, number)
    assert facts(one) == facts(other)
    assert state_of(one).seq == EVENTS
    assert len(audit(journal_path(tmp_path)).entries) == EVENTS


def test_a_reader_sees_what_came_after_another_sealed(tmp_path: Path) -> None:
    writer, reader = opened(tmp_path), opened(tmp_path)
    for number in range(EVENTS):
        beat(writer, number)
        assert state_of(reader).seq == number + 1


def test_a_writer_that_died_between_two_names_is_no_harm(rotated: FileStore, tmp_path: Path) -> None:
    """It had sealed the file but not created the next one."""
    active = journal_path(tmp_path)
    first_seq = sealed_segments(active)[-1][0]
    entries_before = int(active.read_bytes().split(b",", 1)[0].removeprefix(b'{"seq":'))
    assert first_seq < entries_before
    active.rename(sealed_path(active, entries_before))
    beat(rotated, EVENTS)
    again = opened(tmp_path)
    assert state_of(again).seq == state_of(rotated).seq == EVENTS + 1


def test_a_sealed_file_its_name_and_the_next_file_are_on_disk_before_the_next_line(tmp_path: Path) -> None:
    """Another process wrote the sealed file, and may not have synced it."""
    disk = ScriptedDisk()
    one, other = opened(tmp_path), file_store(tmp_path, disk=disk, segment_bytes=1)
    beat(one, 0)
    disk.log.clear()
    beat(other, 1)
    active = "ledger-events.log"
    assert [call for call in disk.log if call[1].startswith((active, "audit"))] == [
        ("sync", active),
        ("replace", f"{active}.{1:020d}"),
        ("sync_folder", "audit"),
        ("open", active),
        ("sync_folder", "audit"),
        ("write", active),
        ("sync", active),
    ]
    one.close()
    other.close()


def test_a_missing_segment_refuses_to_start(rotated: FileStore, tmp_path: Path) -> None:
    (tmp_path / "sessions.json").unlink()
    segments = [path for _, path in sealed_segments(journal_path(tmp_path))]
    segments[1].unlink()
    with pytest.raises(Corrupt, match=f"the segment before it is missing, {segments[1]}"):
        opened(tmp_path)


@pytest.mark.parametrize("kept_bytes", [0, 100, SEGMENT_BYTES - 1])
def test_a_sealed_segment_that_was_cut_refuses_to_start(rotated: FileStore, tmp_path: Path, kept_bytes: int) -> None:
    (tmp_path / "sessions.json").unlink()
    _, oldest = sealed_segments(journal_path(tmp_path))[0]
    oldest.chmod(0o600)
    oldest.write_bytes(oldest.read_bytes()[:kept_bytes])
    with pytest.raises(Corrupt, match=r"ledger-events\.log"):
        opened(tmp_path)


class Stubborn(HastyDisk):
    """A disk that refuses to rename files while ``stubborn``."""

    stubborn = True

    def replace(self, source: Path, target: Path) -> None:
        if self.stubborn and source.name == "ledger-events.log":
            raise OSError(28, "No space left on device")
        super().replace(source, target)


def test_a_segment_that_cannot_be_sealed_is_unavailable_until_it_can(tmp_path: Path) -> None:
    disk = Stubborn()
    store = file_store(tmp_path, disk=disk, segment_bytes=1)
    beat(store, 0)
    for _ in range(2):
        with pytest.raises(Unavailable, match="No space left"):
            beat(store, 1)
    disk.stubborn = False
    beat(store, 1)
    assert state_of(store).seq == 2
    assert len(sealed_segments(journal_path(tmp_path))) == 1


def test_a_folder_that_cannot_be_synced_stops_every_writer_until_a_restart(tmp_path: Path) -> None:
    """The sealed file's new name may be lost; the result of a second sync would prove nothing."""
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk, segment_bytes=1)
    beat(store, 0)
    disk.script("sync_folder", "audit", Fail(errno.EIO))
    for _ in range(2):
        with pytest.raises(Unavailable, match="a sync failed"):
            beat(store, 1)
    store.close()
    store = file_store(tmp_path, segment_bytes=1)
    beat(store, 1)
    assert state_of(store).seq == 2
    store.close()
