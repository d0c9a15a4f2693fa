"""An export has the whole journal, oldest entry first, from segments in either form, while others write."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payments.disk.lock import HotLock
from payments.domain.ledger import Adjustment, Payout
from payments.domain.records import entry_record
from payments.errors import Corrupt, Misconfigured, Unavailable
from payments.store import EntryQuery
from payments.store.file import halt
from payments.store.file.export import Export
from payments.store.file.scan import journal_files
from payments.store.file.segments import sealed_path, sealed_segments
from payments.store.file.store import FileStore
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, HOST_B, JSON, NOON_MS, Clock, event, file_store, journal_path, lock_path, projections
from tests.store.store_fixture import all_entries

SEGMENT_BYTES = 8192
TX = "0x" + "a" * 64


def lived(folder: Path, rounds: int = 12) -> FileStore:
    """A store with sealed segments, two of them compressed, an active one, and sessions, power and bookings."""
    clock = Clock()
    store = file_store(folder, clock=clock, disk=HastyDisk(), segment_bytes=SEGMENT_BYTES)
    for number in range(rounds):
        if number == rounds // 2:
            store.maintain()
        clock.now_ms = NOON_MS + number * 60_000
        store.execute([event(f"s-{host}", at_ms=clock.now_ms, upstream_addr=host) for host in (HOST_A, HOST_B, "::1")])
    store.execute([Adjustment("orch-a", -5, "ref", ',"session":[ "v":1,"durable":'), Payout("orch-b", 7, TX)])
    return store


def exported(folder: Path, query: EntryQuery | None = None, *, money_only: bool = False) -> list[JSON]:
    journal = Export(HastyDisk(), journal_path(folder), projections(folder))
    try:
        return list(journal.records(query or EntryQuery(), money_only=money_only))
    finally:
        journal.close()


def test_export_has_every_entry_as_the_api_shows_it(tmp_path: Path) -> None:
    store = lived(tmp_path)
    forms = {path.suffix == ".gz" for _, path in sealed_segments(journal_path(tmp_path))}
    assert forms == {True, False}
    assert exported(tmp_path) == [entry_record(entry) for entry in reversed(all_entries(store))]
    store.close()
    assert exported(tmp_path)[-1]["seq"] == 38


@pytest.mark.parametrize(
    "query",
    [
        EntryQuery(orchestrator_id="orch-a"),
        EntryQuery(orchestrator_id="nobody"),
        EntryQuery(session_id=f"s-{HOST_B}"),
        EntryQuery(reason="payout"),
        EntryQuery(since_ms=NOON_MS + 120_000),
        EntryQuery(until_ms=NOON_MS + 120_000),
        EntryQuery(orchestrator_id="orch-b", since_ms=NOON_MS + 60_000, until_ms=NOON_MS + 300_000),
    ],
    ids=str,
)
def test_export_of_a_part_has_what_the_api_finds(tmp_path: Path, query: EntryQuery) -> None:
    store = lived(tmp_path)
    found = [entry_record(entry) for entry in reversed(all_entries(store, query))]
    store.close()
    assert exported(tmp_path, query) == found
    assert exported(tmp_path, query, money_only=True) == [each for each in found if "delta" in each]


def test_export_takes_a_session_of_another_orchestrator_for_none(tmp_path: Path) -> None:
    """The interval before a change of host belongs to orch-a, though the session in that line belongs to orch-b."""
    clock = Clock()
    store = file_store(tmp_path, clock=clock, disk=HastyDisk())
    for number, host in enumerate((HOST_A, HOST_B)):
        clock.now_ms = NOON_MS + number * 60_000
        store.execute([event(at_ms=clock.now_ms, upstream_addr=host)])
    store.close()
    assert [each["orchestrator_id"] for each in exported(tmp_path)] == ["orch-a", "orch-a"]
    assert exported(tmp_path, EntryQuery(orchestrator_id="orch-b")) == []


def test_what_is_recorded_later_is_not_in_it(tmp_path: Path) -> None:
    store = lived(tmp_path)
    journal = Export(HastyDisk(), journal_path(tmp_path), projections(tmp_path))
    records = journal.records(EntryQuery(), money_only=False)
    first = next(records)
    store.execute([event("s-later", at_ms=NOON_MS + 3_600_000) for _ in range(40)])
    store.maintain()
    assert [first["seq"], *(each["seq"] for each in records)] == list(range(1, 39))
    journal.close()
    store.close()
    assert len(exported(tmp_path)) > 38


def test_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    lived(tmp_path).close()
    whole = exported(tmp_path)
    with journal_path(tmp_path).open("ab") as journal:
        journal.write(b'{"seq":39,"timestamp":"20')
    assert exported(tmp_path) == whole


def test_journal_between_two_active_files_is_read_as_it_is(tmp_path: Path) -> None:
    lived(tmp_path).close()
    active = journal_path(tmp_path)
    first_seq = json.loads(active.read_bytes().splitlines()[0])["seq"]
    active.rename(sealed_path(active, first_seq))
    seqs = [each["seq"] for each in exported(tmp_path)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert seqs[-1] >= first_seq


def test_damage_is_named_by_file_and_line(tmp_path: Path) -> None:
    store = file_store(tmp_path, disk=HastyDisk())
    store.execute([event(f"s-{number}") for number in range(5)])
    store.close()
    lines = journal_path(tmp_path).read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"orch-a", b"orch-b")
    journal_path(tmp_path).write_bytes(b"".join(lines))
    with pytest.raises(Corrupt, match=rf"ledger-events.log, line 3 \(byte {len(lines[0] + lines[1])}\): its checksum"):
        exported(tmp_path)
    journal_path(tmp_path).write_bytes(b"".join([*lines[:2], *lines[3:]]))
    with pytest.raises(Corrupt, match=r"line 3 .* it has seq 4 where 3 must stand"):
        exported(tmp_path)


def test_missing_segment_is_named(tmp_path: Path) -> None:
    lived(tmp_path).close()
    sealed_segments(journal_path(tmp_path))[0][1].unlink()
    with pytest.raises(Corrupt, match="the segment before it, with seq 1, is missing"):
        exported(tmp_path)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: os.truncate(path, 0)], ids=["removed", "emptied"])
def test_active_file_that_is_cut_short_is_named(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Projections show more than the journal has; an export must not be silently incomplete."""
    lived(tmp_path).close()
    change(journal_path(tmp_path))
    with pytest.raises(Corrupt, match=r"sessions.json shows entry \d+, which the journal does not have"):
        exported(tmp_path)


def test_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"ledger-events.log: cannot be read .* PAYMENTS_DATA_DIR"):
        exported(tmp_path)


def test_nothing_is_exported_after_a_failed_sync(tmp_path: Path) -> None:
    lived(tmp_path).close()
    halt.set_mark(HastyDisk(), journal_path(tmp_path), "test")
    with pytest.raises(Unavailable, match="restart first"):
        exported(tmp_path)


def test_group_that_is_cut_off_again_is_never_seen(tmp_path: Path) -> None:
    """The lock's holder may have written part of it, and the rest may fail."""
    lived(tmp_path).close()
    path = journal_path(tmp_path)
    whole = path.read_bytes()
    writer = HotLock(lock_path(tmp_path))
    writer.acquire()
    path.write_bytes(whole + whole)
    with ThreadPoolExecutor(1) as threads:
        opening = threads.submit(journal_files, HastyDisk(), path)
        with pytest.raises(TimeoutError):
            opening.result(0.2)
        os.truncate(path, len(whole))
        writer.close()
        files = opening.result(30)
    assert files[-1].end == len(whole)
    for file in files:
        file.segment.close()
