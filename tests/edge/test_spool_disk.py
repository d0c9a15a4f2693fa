"""A disk that is full, read-only, broken, or cleaned up by somebody: nothing is lost, and all is written in the end."""

import errno
import gc
import json
import os
import shutil
from pathlib import Path

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.lines import Spooled
from payments.edge.rejects import Reject
from tests.disk.scripted import Fail, ScriptedDisk, Take
from tests.edge.conftest import Said
from tests.edge.edge import ROOM, Edge, edge
from tests.edge.spools import AWAY, batch, deliver_all, die, files
from tests.harness import Clock

FIRST, SECOND = "events-00000000000000000001.jsonl", "events-00000000000000000002.jsonl"
FULL, BROKEN, READ_ONLY = Fail(errno.ENOSPC), Fail(errno.EIO), Fail(errno.EROFS)


def ids(life: Edge) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, _ in batch(life)]


def after(folder: Path) -> list[tuple[str, str]]:
    """What a next life finds to send."""
    with edge(folder, AWAY) as life:
        life.write()
        return ids(life)


def test_a_full_disk_keeps_events_in_memory_and_sends_them_and_takes_them_when_there_is_room(
    tmp_path: Path, said: Said
) -> None:
    folder, disk = tmp_path / "spool", ScriptedDisk()
    with edge(folder, AWAY, disk=disk) as life:
        first = life.begin()
        life.write()
        disk.script("write", FIRST, Take(100))
        disk.broken["write", FIRST] = FULL
        second = life.begin()
        life.write()
        assert life.spool.trouble == f"{folder}: cannot be written (No space left on device)"
        assert ids(life) == [(first.session_id, START), (second.session_id, START)]
        assert (folder / FIRST).read_bytes().count(b"\n") == 1
        assert (folder / FIRST).read_bytes().endswith(b"\n")
        life.pass_s(10, step_s=0.1)
        del disk.broken["write", FIRST]
        life.pass_s(1)
        assert life.spool.trouble is None
        first.end()
        life.write()
        sent = batch(life)
        die(life)
    assert after(folder) == [*[(name, kind) for name, kind, _ in sent], (second.session_id, END)]
    assert said.lines[0] == (
        "ERROR",
        f"{folder}: cannot be written (No space left on device); events are kept in memory, and sent, until it can",
    )
    assert said.lines[1] == ("INFO", f"{folder}: can be written again, and has what was kept in memory meanwhile")


def test_a_full_disk_is_tried_once_a_second_and_complained_of_every_five_minutes(tmp_path: Path, said: Said) -> None:
    disk = ScriptedDisk()
    with edge(tmp_path / "spool", AWAY, disk=disk) as life:
        life.begin()
        disk.broken["write", FIRST] = FULL
        life.pass_s(599, step_s=0.25)
        tries = disk.log.count(("write", FIRST))
        assert 550 < tries <= 600
        assert len(said.lines) == 2


def test_a_write_that_cannot_be_cut_back_ends_the_file_and_it_is_made_anew(tmp_path: Path) -> None:
    folder, disk = tmp_path / "spool", ScriptedDisk()
    with edge(folder, AWAY, disk=disk) as life:
        session = life.begin()
        life.write()
        disk.script("write", FIRST, Take(50), FULL)
        disk.script("truncate", FIRST, BROKEN)
        session.end()
        life.write()
        assert not (folder / FIRST).read_bytes().endswith(b"\n")
        life.pass_s(2)
        assert files(folder) == ["cursor", FIRST, "events-00000000000000000003.jsonl", "lock"]
        assert (folder / FIRST).read_bytes().count(b"\n") == 1
    assert after(folder) == [(session.session_id, START), (session.session_id, END)]
    assert not (folder / "rejects.jsonl").exists()


def test_whole_lines_of_a_write_that_failed_are_not_taken_for_events_of_their_own(tmp_path: Path) -> None:
    """Killed before they were written again, or after: each is sent once."""
    folder, disk = tmp_path / "spool", ScriptedDisk()
    life = Edge(folder, AWAY, disk=disk)
    life.spool.open()
    sessions = [life.begin() for _ in range(3)]
    disk.script("write", FIRST, Take(500), FULL)
    disk.broken["truncate", FIRST] = disk.broken["remove", FIRST] = BROKEN
    life.write()
    life.pass_s(2)
    whole = (folder / FIRST).read_bytes().count(b"\n")
    assert 0 < whole < 3
    die(life)
    found = after(folder)
    assert found == [*[(each.session_id, START) for each in sessions[:whole]], *[
        (each.session_id, END) for each in sessions[:whole]
    ]]  # fmt: skip


def test_a_sync_that_fails_is_not_tried_again_but_all_of_the_file_is_written_anew(tmp_path: Path) -> None:
    folder, disk = tmp_path / "spool", ScriptedDisk()
    with edge(folder, AWAY, disk=disk) as life:
        session = life.begin()
        disk.script("sync", FIRST, BROKEN)
        life.write()
        assert life.spool.trouble == f"{folder}: cannot be written (Input/output error)"
        assert ids(life) == [(session.session_id, START)]
        before = (folder / FIRST).stat().st_ino
        disk.log.clear()
        life.pass_s(1)
        assert life.spool.trouble is None
        assert ("sync", FIRST) not in disk.log
        assert disk.log[disk.log.index(("replace", FIRST)) - 1] == ("sync", f"{FIRST}.new")
        assert (folder / FIRST).stat().st_ino != before
    assert after(folder) == [(session.session_id, START), (session.session_id, END)]


def test_a_folder_that_is_read_only_at_the_start_is_taken_over_when_it_is_not(tmp_path: Path, said: Said) -> None:
    folder, clock = tmp_path / "spool", Clock()
    old = Edge(folder, AWAY, clock)
    old.spool.open()
    left = old.begin()
    old.write()
    die(old)

    class ReadOnlyDisk(ScriptedDisk):
        is_read_only = True

        def make_folder(self, path: Path) -> None:
            if self.is_read_only:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            super().make_folder(path)

    disk = ReadOnlyDisk()
    with edge(folder, AWAY, clock, disk=disk) as life:
        assert life.spool.trouble == f"{folder}: cannot be written (Read-only file system)"
        session = life.begin()
        life.write()
        assert ids(life) == [(session.session_id, START)]
        disk.is_read_only = False
        life.pass_s(1)
        assert life.spool.trouble is None
        assert ids(life) == [(left.session_id, START), (session.session_id, START), (left.session_id, END)]
        session.end()
        life.write()
        deliver_all(life)
    assert after(folder) == []


def test_a_batch_that_is_on_its_way_while_the_folder_is_taken_over_is_settled_all_the_same(tmp_path: Path) -> None:
    folder, clock, disk = tmp_path / "spool", Clock(), ScriptedDisk()
    old = Edge(folder, AWAY, clock)
    old.spool.open()
    left = old.begin()
    old.write()
    die(old)
    disk.script("open", FIRST, BROKEN)
    with edge(folder, AWAY, clock, disk=disk) as life:
        assert life.spool.trouble is not None
        sessions = [life.begin() for _ in range(2)]
        life.write()
        sent = life.spool.batch(1, ROOM)
        life.pass_s(1)
        assert life.spool.trouble is None
        life.spool.settle(sent, sent, [])
        expected = [(left.session_id, START), (sessions[1].session_id, START), (left.session_id, END)]
        assert ids(life) == expected
        die(life)
    # The cursor cannot say that it is done with the third and not with the first.
    assert [each for each in after(folder) if each[0] != sessions[0].session_id][:3] == expected


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_somebody_has_cleaned_away_is_written_anew(tmp_path: Path, what: str, said: Said) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        session = life.begin()
        life.pass_s(20)
        shutil.rmtree(folder) if what == "folder" else (folder / FIRST).unlink()
        life.pass_s(2)
        assert life.spool.trouble is None
        found = ids(life)
        die(life)
    assert after(folder) == [*found, (session.session_id, END)]
    assert [
        level for level, text in said.lines if "files of the spool were taken away; they are written anew" in text
    ] == ["ERROR"]


def test_a_folder_that_was_cleaned_away_and_is_anothers_now_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        session = life.begin()
        life.write()
        shutil.rmtree(folder)
        with edge(folder, AWAY) as other:
            life.pass_s(2)
            assert life.spool.trouble == f"{folder}: cannot be written (it is in use by another reporter)"
            assert ids(life) == [(session.session_id, START)]
            assert ids(other) == []
        life.pass_s(2)
        assert life.spool.trouble is None


@pytest.mark.parametrize("path", ["file", "file/spool"])
def test_a_folder_that_cannot_be_made_leaves_the_events_in_memory(tmp_path: Path, path: str, said: Said) -> None:
    (tmp_path / "file").write_text("x")
    with edge(tmp_path / path, AWAY) as life:
        session = life.begin()
        session.end()
        life.write()
        assert life.spool.trouble == f"{tmp_path / path}: cannot be written (Not a directory)"
        assert ids(life) == [(session.session_id, START), (session.session_id, END)]
    assert said.lines[-1] == ("ERROR", f"{tmp_path / path}: could not be written up to the end; 2 events are lost")


def test_memory_is_bounded_while_the_disk_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    most_bytes = 1 << 16
    with edge(tmp_path / "file", AWAY, most_bytes=most_bytes) as life:
        sessions = [life.begin() for _ in range(10)]
        life.pass_s(3600, step_s=5)
        assert life.spool.thinned > 1000
        events = life.spool.batch(100_000, most_bytes)
        assert sum(event.size_bytes for event in events) <= most_bytes
        assert [event.kind for event in events].count(START) == len(sessions)
        deliver_all(life)


def events_in_memory() -> int:
    """How many there are, those of other tests too."""
    gc.collect()
    return sum(isinstance(each, Spooled) for each in gc.get_objects())


def test_what_is_delivered_while_the_disk_is_away_is_not_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with edge(tmp_path / "file", AWAY) as life:
        life.begin()
        before = events_in_memory()
        for _ in range(800):
            life.pass_s(15)
            deliver_all(life)
        life.pass_s(2)
        assert events_in_memory() - before < 100


def test_refused_events_are_on_disk_before_the_cursor_passes_them_and_wait_for_the_disk_if_they_must(
    tmp_path: Path,
) -> None:
    folder, disk = tmp_path / "spool", ScriptedDisk()
    with edge(folder, AWAY, disk=disk) as life:
        session = life.begin()
        life.write()
        events = life.spool.batch(1, ROOM)
        disk.log.clear()
        disk.script("write", "rejects.jsonl", Take(20), FULL)
        life.spool.settle(events, events, [Reject("422: no", events[0].body)])
        assert life.spool.trouble is not None
        assert ("write", "cursor") not in disk.log
        assert (folder / "rejects.jsonl").read_bytes() == b""
        life.pass_s(1)
        written = [each for each in disk.log if each[0] in ("write", "sync") and each[1] in ("rejects.jsonl", "cursor")]
        assert written[-3:] == [("write", "rejects.jsonl"), ("sync", "rejects.jsonl"), ("write", "cursor")]
        assert (life.spool.rejected, life.spool.delivered) == (1, 0)
    (line,) = (folder / "rejects.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "rejected_at": "2027-01-15T08:00:00.000Z",
        "reason": "422: no",
        "event": {**json.loads(line)["event"], "session_id": session.session_id, "event": "start", "seq": 1},
    }


def test_rejects_are_bounded_by_rotation(tmp_path: Path) -> None:
    folder, most_bytes = tmp_path / "spool", 1 << 16
    with edge(folder, AWAY, most_bytes=most_bytes) as life:
        for number in range(300):
            life.begin()
            life.write()
            events = life.spool.batch(1, ROOM)
            life.spool.settle(events, events, [Reject(f"422: no {number}", events[0].body)])
    sizes = [(folder / name).stat().st_size for name in ("rejects.jsonl", "rejects.jsonl.1")]
    assert sum(sizes) <= most_bytes
    assert min(sizes) > 0
    assert "422: no 299" in (folder / "rejects.jsonl").read_text()


def test_a_cursor_that_cannot_be_moved_is_moved_later(tmp_path: Path) -> None:
    folder, disk = tmp_path / "spool", ScriptedDisk()
    with edge(folder, AWAY, disk=disk) as life:
        session = life.begin()
        life.write()
        disk.script("write", "cursor", FULL)
        deliver_all(life)
        assert life.spool.trouble is not None
        life.pass_s(1)
        assert life.spool.trouble is None
        die(life)
    assert after(folder) == [(session.session_id, END)]


def test_a_cursor_is_begun_anew_when_it_has_grown(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        life.begin()
        most = 0
        for _ in range(2500):
            life.pass_s(15, step_s=15)
            deliver_all(life)
            most = max(most, (folder / "cursor").stat().st_size)
        assert 60_000 < most < 70_000
        assert (folder / "cursor").stat().st_size < 60_000
    with edge(folder, AWAY) as life:
        life.write()
        assert [kind for _, kind, _ in batch(life)] == [END]


def test_heartbeats_that_come_while_room_cannot_be_made_are_kept(tmp_path: Path) -> None:
    folder, disk = tmp_path / "spool", ScriptedDisk()
    with edge(folder, AWAY, disk=disk, most_bytes=1 << 16) as life:
        session = life.begin()
        disk.broken["replace", FIRST] = FULL
        life.pass_s(3600, step_s=5)
        assert life.spool.trouble is not None
        del disk.broken["replace", FIRST]
        life.pass_s(10)
        assert life.spool.trouble is None
        assert life.spool.size_bytes <= 1 << 16
        found = batch(life)
    assert found[0] == (session.session_id, START, 0)
    assert found[-1][1] == HEARTBEAT
    assert found[-1][2] > 3_590_000
