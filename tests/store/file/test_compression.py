"""Compressed segments are the same journal for every reader, and each line always exists in one form or the other."""

import gzip
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.domain.entries import Entry
from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Corrupt
from payments.store import EntryQuery
from payments.store.file import blocks
from payments.store.file.segments import compressed_path, sealed_path, sealed_segments
from payments.store.file.store import FileStore
from tests.audit import audit, read_journal
from tests.disk.scripted import HastyDisk
from tests.harness import NOON_MS, event, file_store, journal_path, open_files, projections, stamps, uncoded
from tests.store.file.history import facts
from tests.store.store_fixture import all_entries

SEGMENT_BYTES = 4096
EVENTS = 20
REMEDY = "Stop all processes of Payments, keep a copy of the file, and restore it, in this form or the plain one"


def opened(folder: Path, disk: HastyDisk | None = None) -> FileStore:
    return file_store(folder, disk=disk or HastyDisk(), segment_bytes=SEGMENT_BYTES)


def beat(store: FileStore, numbers: range) -> None:
    """Events that become the entries ``numbers`` + 1."""
    for number in numbers:
        store.execute([event("s-1", HEARTBEAT if number else START, NOON_MS + 1000 * number)])


@pytest.fixture
def rotated(tmp_path: Path) -> Iterator[FileStore]:
    """A store with ``EVENTS`` entries in several segments, none compressed."""
    store = opened(tmp_path)
    beat(store, range(EVENTS))
    yield store
    store.close()


@pytest.fixture(params=[100, 1500, blocks.PLAIN_BYTES], ids=["small blocks", "large blocks", "one block"])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Size of a block: less than a line, more than a line, a whole segment."""
    monkeypatch.setattr(blocks, "PLAIN_BYTES", request.param)
    return int(request.param)


def sealed(folder: Path) -> list[Path]:
    return [path for _, path in sealed_segments(journal_path(folder))]


def files(folder: Path) -> dict[str, bytes]:
    """The journal's files by name, without locks."""
    found = journal_path(folder).parent.iterdir()
    return {path.name: path.read_bytes() for path in found if path.suffix != ".lock"}


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def forget_projections(folder: Path) -> None:
    for path in projections(folder):
        path.unlink(missing_ok=True)


@pytest.mark.processes
def test_every_sealed_segment_is_compressed_and_any_gzip_reads_it(rotated: FileStore, tmp_path: Path) -> None:
    before = files(tmp_path)
    plain = sealed(tmp_path)
    assert len(plain) >= 3
    rotated.maintain()
    assert sealed(tmp_path) == [compressed_path(path) for path in plain]
    assert set(files(tmp_path)) == {path.name for path in [*sealed(tmp_path), journal_path(tmp_path)]}
    for path in sealed(tmp_path):
        assert gzip.decompress(path.read_bytes()) == before[path.name.removesuffix(".gz")]
        assert path.read_bytes().endswith(blocks.END)
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    subprocess.run(["gzip", "-t", *sealed(tmp_path)], check=True)
    printed = subprocess.run(["gzip", "-dc", *sealed(tmp_path)], check=True, capture_output=True).stdout
    assert printed + journal_path(tmp_path).read_bytes() == read_journal(journal_path(tmp_path))
    assert len(audit(journal_path(tmp_path)).entries) == EVENTS


def test_compressing_what_is_compressed_changes_nothing(rotated: FileStore, tmp_path: Path) -> None:
    rotated.maintain()
    before = stamps(journal_path(tmp_path).parent)
    rotated.maintain()
    assert stamps(journal_path(tmp_path).parent) == before


def test_a_journal_without_sealed_segments_stays_as_it_is(tmp_path: Path) -> None:
    store = opened(tmp_path)
    beat(store, range(1))
    before = files(tmp_path)
    store.maintain()
    assert files(tmp_path) == before


def in_pages(store: FileStore, limit: int, before: str | None) -> list[Entry]:
    found: list[Entry] = []
    while True:
        page = store.entries(EntryQuery(), before=before, limit=limit)
        found += page.items
        if (before := page.before) is None:
            return found


def test_readers_see_the_same_in_every_mixture_of_forms(block_bytes: int, tmp_path: Path) -> None:
    """Reads from any position across compressed, sealed and active segments."""
    store = opened(tmp_path)
    beat(store, range(EVENTS))
    want = all_entries(store)
    store.maintain()
    beat(store, range(EVENTS, 2 * EVENTS))
    want = all_entries(store)
    assert [entry.seq for entry in want] == list(range(2 * EVENTS, 0, -1))
    assert {path.suffix == ".gz" for path in sealed(tmp_path)} == {True, False}
    for before in [None, *map(str, range(2 * EVENTS + 3))]:
        expected = want if before is None else [entry for entry in want if entry.seq < int(before)]
        for limit in (3, 2 * EVENTS):
            assert in_pages(store, limit, before) == expected
    store.close()


@pytest.mark.parametrize("kept", ["all", "none", "half-way"])
def test_a_start_finds_the_same_state_and_goes_on(
    block_bytes: int, rotated: FileStore, tmp_path: Path, kept: str
) -> None:
    """Projections that end in the middle of a segment that is compressed by now."""
    folder = tmp_path / "other"
    store = opened(folder)
    beat(store, range(7))
    half_way = {path: path.read_bytes() for path in projections(folder)}
    beat(store, range(7, EVENTS))
    store.maintain()
    store.close()
    if kept == "none":
        forget_projections(folder)
    if kept == "half-way":
        for path, data in half_way.items():
            path.write_bytes(data)
    again = opened(folder)
    assert facts(again) == facts(rotated)
    beat(again, range(EVENTS, EVENTS + 6))
    again.maintain()
    again.close()
    assert len(audit(journal_path(folder)).entries) == EVENTS + 6


def test_a_projection_of_another_journal_is_refused_where_the_journal_is_compressed(
    rotated: FileStore, tmp_path: Path
) -> None:
    other = opened(tmp_path / "other")
    other.execute([event("s-9", START, NOON_MS)])
    beat(other, range(1, 3))
    other.close()
    rotated.maintain()
    for path in projections(tmp_path):
        path.write_bytes((tmp_path / "other" / path.name).read_bytes())
    with pytest.raises(Corrupt, match="that is not what the journal has there"):
        opened(tmp_path)


HEADER, TRAILER = 18, 8
BYTES = {
    "magic": 0, "method": 2, "flags": 3, "time": 5, "system": 9, "extra field": 12, "length": 16, "length, high": 17,
    "data, first": HEADER, "data, middle": HEADER + 300, "checksum": -len(blocks.END) - TRAILER,
    "size": -len(blocks.END) - 4, "size, high": -len(blocks.END) - 1,
    "end mark, first": -len(blocks.END), "end mark, last": -1,
}  # fmt: skip


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", BYTES)
def test_a_damaged_compressed_segment_is_refused_by_name(
    rotated: FileStore, tmp_path: Path, place: str, bit: int
) -> None:
    rotated.maintain()
    forget_projections(tmp_path)
    path = sealed(tmp_path)[1]
    data = bytearray(path.read_bytes())
    data[BYTES[place]] ^= 1 << bit
    overwrite(path, bytes(data))
    is_refused_by_name(rotated, path, tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 17, 18, 400, -29, -28, -27, -1])
def test_a_compressed_segment_that_was_cut_is_refused_by_name(rotated: FileStore, tmp_path: Path, kept: int) -> None:
    rotated.maintain()
    forget_projections(tmp_path)
    path = sealed(tmp_path)[1]
    overwrite(path, path.read_bytes()[:kept])
    is_refused_by_name(rotated, path, tmp_path)


def is_refused_by_name(store: FileStore, path: Path, folder: Path) -> None:
    """Refused by a start, and by a page that must read it."""
    for attempt in (lambda: opened(folder), lambda: store.entries(EntryQuery(), limit=2 * EVENTS)):
        before = open_files("audit")
        with pytest.raises(Corrupt) as refusal:
            attempt()
        assert uncoded(refusal.value).startswith(f"{path}: ")
        assert REMEDY in uncoded(refusal.value)
        assert open_files("audit") == before


def test_blocks_in_another_order_are_refused_by_the_chain(
    rotated: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the two is valid."""
    monkeypatch.setattr(blocks, "PLAIN_BYTES", len(journal_line(tmp_path)))
    rotated.maintain()
    forget_projections(tmp_path)
    path = sealed(tmp_path)[0]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    overwrite(path, b"".join(blocks.compress([lines[1], lines[0], *lines[2:]])))
    with pytest.raises(Corrupt, match=f"{path}, line 1 .*chain"):
        opened(tmp_path)


def journal_line(folder: Path) -> bytes:
    return read_journal(journal_path(folder)).splitlines(keepends=True)[0]


def test_of_both_forms_the_plain_one_is_read(rotated: FileStore, tmp_path: Path) -> None:
    """A crash came between creating one name and removing the other."""
    known = facts(rotated)
    plain = sealed(tmp_path)
    for path in plain:
        compressed_path(path).write_bytes(b"not even gzip")
    forget_projections(tmp_path)
    assert sealed(tmp_path) == plain
    assert facts(opened(tmp_path)) == known
    assert len(rotated.entries(EntryQuery()).items) == EVENTS
    assert len(audit(journal_path(tmp_path)).entries) == EVENTS


def test_of_both_forms_the_plain_one_goes_when_they_hold_the_same(rotated: FileStore, tmp_path: Path) -> None:
    before = files(tmp_path)
    rotated.maintain()
    after = files(tmp_path)
    for name in before.keys() - after.keys():
        journal_path(tmp_path).with_name(name).write_bytes(before[name])
    path = sealed(tmp_path)[0]
    compressed_path(path).chmod(0o600)
    rotated.maintain()
    assert files(tmp_path) == after
    assert stat.S_IMODE(compressed_path(path).stat().st_mode) == 0o400


@pytest.mark.parametrize("other", ["damaged", "one line less"])
def test_of_two_forms_that_differ_neither_goes(rotated: FileStore, tmp_path: Path, other: str) -> None:
    """A restored plain segment may be shorter than the compressed one, with each line valid."""
    path = sealed(tmp_path)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    wrong = b"damaged" if other == "damaged" else b"".join(blocks.compress(lines[:-1]))
    compressed_path(path).write_bytes(wrong)
    before = files(tmp_path)
    with pytest.raises(Corrupt) as refusal:
        rotated.maintain()
    assert uncoded(refusal.value).startswith(
        f"{compressed_path(path)} does not hold what {path} does, which stays in use ("
    )
    assert "keep copies of both and remove the one that is wrong" in uncoded(refusal.value)
    assert files(tmp_path).items() >= {name: before[name] for name in (path.name, compressed_path(path).name)}.items()
    compressed_path(path).unlink()
    rotated.maintain()
    assert len(audit(journal_path(tmp_path)).entries) == EVENTS


def test_stray_temporary_files_are_no_segments_and_go(rotated: FileStore, tmp_path: Path) -> None:
    journal = journal_path(tmp_path)
    strays = [compressed_path(sealed_path(journal, seq)) for seq in (1, 7, 10**19)]
    for stray in strays:
        stray.with_name(f"{stray.name}.new").write_bytes(b"half of a seg")
        stray.with_name(f"{stray.name}.new").chmod(0o400)
    assert len(audit(journal).entries) == len(all_entries(rotated)) == EVENTS
    rotated.maintain()
    assert {Path(name).suffix for name in files(tmp_path)} == {".gz", ".log"}


def test_a_damaged_plain_segment_stays_and_is_named(rotated: FileStore, tmp_path: Path) -> None:
    first, second = sealed(tmp_path)[:2]
    data = bytearray(second.read_bytes())
    data[1000] ^= 1
    overwrite(second, bytes(data))
    with pytest.raises(Corrupt, match=rf"{second}, line \d+ \(byte \d+\): its checksum does not fit"):
        rotated.maintain()
    assert sealed(tmp_path)[:2] == [compressed_path(first), second]
    assert second.read_bytes() == data
    assert not compressed_path(second).exists()
    assert not [name for name in files(tmp_path) if name.endswith(".new")]


def test_a_segment_that_does_not_continue_the_one_before_stays(rotated: FileStore, tmp_path: Path) -> None:
    first, second = sealed(tmp_path)[:2]
    lines = first.read_bytes().splitlines(keepends=True)
    overwrite(first, b"".join(lines[:-1]))
    with pytest.raises(Corrupt, match=rf"{second}, line 1 \(byte 0\): it does not continue the chain"):
        rotated.maintain()
    assert second.exists()


def test_the_listing_finds_a_segment_that_changes_its_form_while_it_is_made(
    rotated: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is listed in pieces: the new name may fall into one already read, the old name into a later one."""
    plain = sealed(tmp_path)
    names = sorted(path.name for path in journal_path(tmp_path).parent.iterdir())
    passed = [name for name in names if name != plain[1].name]
    listings = iter([passed, [*passed, compressed_path(plain[1]).name]])
    monkeypatch.setattr(Path, "iterdir", lambda folder: (folder / name for name in next(listings)))
    assert sealed(tmp_path) == [plain[0], compressed_path(plain[1]), *plain[2:]]
