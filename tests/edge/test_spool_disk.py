"""If the disk is full, read-only, broken or cleaned up, nothing is lost, and all is written in the end."""

import gc
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from payments.domain.sessions import END, START
from payments.edge.events import SpooledEvent
from tests.edge.conftest import EdgeLog
from tests.edge.edge import EdgeLife, edge
from tests.edge.spools import AWAY, batch, deliver_all, die
from tests.harness import Clock
from tests.system.tracing import failing

PAGE = 4096


def ids(life: EdgeLife) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, _ in batch(life)]


def after(folder: Path) -> list[tuple[str, str]]:
    """The events that the next run finds."""
    with edge(folder, AWAY) as life:
        life.write()
        return ids(life)


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        ("pwrite64", "ENOSPC", "No space left on device"),
        ("pwrite64", "EIO", "disk I/O error, SQLITE_IOERR_WRITE"),
        ("fdatasync", "EIO", "disk I/O error, SQLITE_IOERR_FSYNC"),
        ("pwrite64", "EROFS", "disk I/O error, SQLITE_IOERR_WRITE"),
    ],
)
def test_events_are_kept_in_memory_and_sent_while_the_disk_fails_and_are_written_when_it_does_not(
    tmp_path: Path, said: EdgeLog, call: str, error: str, why: str
) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        first = life.begin()
        life.write()
        with failing(os.getpid(), call, f"error={error}", [folder / "spool.db", folder / "spool.db-wal"]) as failures:
            second = life.begin()
            life.write()
            assert failures() > 0
            assert life.spool.error == f"{folder}: cannot be written ({why})"
            assert ids(life) == [(first.session_id, START), (second.session_id, START)]
            life.pass_s(10, step_s=0.1)
            assert 10 < failures() <= 50
        life.pass_s(1)
        assert life.spool.error is None
        first.end()
        life.write()
        sent = ids(life)
        die(life)
    assert after(folder) == [*sent, (second.session_id, END)]
    assert said.lines[:2] == [
        ("ERROR", f"{folder}: cannot be written ({why}); events are kept in memory and sent from there"),
        ("INFO", f"{folder}: can be written again, and has what was kept in memory meanwhile"),
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "payments-test", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@as_root
@pytest.mark.parametrize("viewers", [10, 20, 40, 80])
def test_a_disk_that_the_spool_itself_has_filled_has_room_again_when_all_is_delivered(
    small_disk: Path, viewers: int
) -> None:
    folder = small_disk / "spool"
    with edge(folder, AWAY) as life:
        sessions = [life.begin() for _ in range(viewers)]
        while life.spool.error is None:
            life.pass_s(1)
        assert life.spool.error == f"{folder}: cannot be written (No space left on device)"
        life.pass_s(100)
        written = life.spool.size_bytes
        for session in sessions[::2]:
            session.end()
        life.write()
        deliver_all(life.spool)
        life.pass_s(5)
        assert life.spool.error is None
        assert life.spool.size_bytes < written
        life.pass_s(15)
        pending = ids(life)
        die(life)
    assert sorted(after(folder)) == sorted([*pending, *((each.session_id, END) for each in sessions[1::2])])


@as_root
def test_a_disk_that_is_full_at_the_start_is_read_all_the_same(tmp_path: Path, small_disk: Path) -> None:
    folder = small_disk / "spool"
    with edge(folder, AWAY) as life:
        left = life.begin()
        life.write()
        die(life)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while ballast.write(bytes(PAGE)):
            pass
    with edge(folder, AWAY) as life:
        life.write()
        assert life.spool.error is not None
        assert ids(life) == [(left.session_id, START), (left.session_id, END)]
        (small_disk / "ballast").unlink()
        life.pass_s(2)
        assert life.spool.error is None
        die(life)
    assert after(folder) == [(left.session_id, START), (left.session_id, END)]


@as_root
def test_a_folder_that_is_read_only_at_the_start_is_taken_over_when_it_is_not(small_disk: Path) -> None:
    folder, clock = small_disk / "spool", Clock()
    with edge(folder, AWAY, clock) as life:
        left = life.begin()
        life.write()
        die(life)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with edge(folder, AWAY, clock) as life:
        assert life.spool.error == f"{folder}: cannot be written (it is read-only, or not this user's)"
        sessions = [life.begin() for _ in range(2)]
        life.write()
        sent = life.spool.batch(1)
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        life.pass_s(1)
        assert life.spool.error is None
        life.spool.settle(sent, sent, [])
        expected = [(left.session_id, START), (sessions[1].session_id, START), (left.session_id, END)]
        assert ids(life) == expected
        die(life)
    assert [each for each in after(folder) if each[0] != sessions[0].session_id][:3] == expected


@pytest.mark.parametrize("what", ["spool", "spool/spool.db", "spool/spool.db-wal"])
def test_files_cleaned_away_are_written_again(tmp_path: Path, what: str, said: EdgeLog) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        session = life.begin()
        life.pass_s(20)
        shutil.rmtree(tmp_path / what) if what == "spool" else (tmp_path / what).unlink()
        life.pass_s(2)
        assert life.spool.error is None
        found = ids(life)
        die(life)
    assert after(folder) == [*found, (session.session_id, END)]
    assert [
        level for level, text in said.lines if "files of the spool were removed; they are written again" in text
    ] == ["ERROR"]


def test_a_folder_that_is_taken_away_and_put_back_has_all_that_came_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        delivered, pending = life.begin(), life.begin()
        life.write()
        folder.rename(tmp_path / "elsewhere")
        deliver_all(life.spool)
        delivered.end()
        life.pass_s(20)
        deliver_all(life.spool)
        shutil.rmtree(folder)
        (tmp_path / "elsewhere").rename(folder)
        life.pass_s(20)
        assert life.spool.error is None
        pending.end()
        life.write()
        assert ids(life)[-1] == (pending.session_id, END)
        deliver_all(life.spool)
        life.write()
        die(life)
    assert after(folder) == []


def test_a_folder_that_was_cleaned_away_and_is_anothers_now_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        session = life.begin()
        life.write()
        shutil.rmtree(folder)
        with edge(folder, AWAY) as other:
            theirs = other.begin()
            other.write()
            life.pass_s(2)
            assert life.spool.error == f"{folder}: cannot be written (it is in use by another reporter)"
            assert ids(life) == [(session.session_id, START)]
            other.pass_s(2)
            assert ids(other) == [(theirs.session_id, START)]
        life.pass_s(2)
        assert life.spool.error is None
        assert (theirs.session_id, START) in ids(life)


@pytest.mark.parametrize("path", ["file", "file/spool"])
def test_a_folder_that_cannot_be_made_leaves_the_events_in_memory_and_is_tried_and_complained_of_now_and_then(
    tmp_path: Path, path: str, said: EdgeLog
) -> None:
    (tmp_path / "file").write_text("x")
    with edge(tmp_path / path, AWAY) as life:
        session = life.begin()
        session.end()
        life.write()
        assert life.spool.error == f"{tmp_path / path}: cannot be written (Not a directory)"
        assert ids(life) == [(session.session_id, START), (session.session_id, END)]
        life.pass_s(599, step_s=0.25)
        assert len(said.lines) == 2
    assert said.lines[-1] == (
        "ERROR",
        f"{tmp_path / path}: could not be written before the end; 2 events are lost",
    )


def test_memory_is_bounded_while_the_disk_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    max_bytes = 1 << 16
    with edge(tmp_path / "file", AWAY, max_bytes=max_bytes) as life:
        sessions = [life.begin() for _ in range(10)]
        life.pass_s(3600, step_s=5)
        assert life.spool.dropped > 1000
        events = life.spool.batch(100_000)
        assert sum(event.size_bytes for event in events) <= max_bytes
        assert [event.kind for event in events].count(START) == len(sessions)
        deliver_all(life.spool)


def events_in_memory() -> int:
    """Number of open descriptors, those of other tests included."""
    gc.collect()
    return sum(isinstance(each, SpooledEvent) for each in gc.get_objects())


def test_what_is_delivered_while_the_disk_is_away_is_not_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with edge(tmp_path / "file", AWAY) as life:
        life.begin()
        before = events_in_memory()
        for _ in range(800):
            life.pass_s(15)
            deliver_all(life.spool)
        life.pass_s(2)
        assert events_in_memory() - before < 100


def damaged(path: Path, page: int) -> None:
    """Overwrite a page of the database, counted from 0."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xff" * PAGE)


def leaf_of(path: Path, position: int) -> int:
    """Number of the page with the event at ``position``."""
    with closing(sqlite3.connect(path)) as connection:
        ((event_id,),) = connection.execute("SELECT event_id FROM events WHERE position = ?", (position,))
    return path.read_bytes().index(event_id.encode()) // PAGE


def is_set_aside(folder: Path, said: EdgeLog) -> bool:
    """Whether a damaged spool was set aside and logged."""
    path = folder / "damaged-1.db"
    lines = [text for level, text in said.lines if level == "ERROR" and text.endswith(f"sqlite3 {path} .recover")]
    return len(lines) == 1 and path.stat().st_size > 10 * PAGE


def test_what_is_not_on_a_damaged_page_goes_on_in_a_new_file(tmp_path: Path, said: EdgeLog) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        for _ in range(200):
            life.begin()
        life.write()
        before = ids(life)
        die(life)
    damaged(folder / "spool.db", leaf_of(folder / "spool.db", 100))
    with edge(folder, AWAY) as life:
        life.write()
        found = ids(life)
        die(life)
    starts = [each for each in before if each in found]
    assert 150 < len(starts) < 200
    assert found == [*starts, *((name, END) for name, _ in starts)]
    assert is_set_aside(folder, said)
    assert after(folder) == found


def test_damage_while_it_is_in_use_costs_nothing(tmp_path: Path, said: EdgeLog) -> None:
    folder = tmp_path / "spool"
    with edge(folder, AWAY) as life:
        sessions = [life.begin() for _ in range(200)]
        life.write()
        connection = life.spool._database._connection
        assert connection is not None
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for page in range(1, 20):
            damaged(folder / "spool.db", page)
        connection.execute("PRAGMA shrink_memory")
        for session in sessions:
            session.end()
        life.pass_s(3)
        assert life.spool.error is None
        found = ids(life)
        die(life)
    assert len(found) == 400
    assert is_set_aside(folder, said)
    assert after(folder) == found


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\0" * PAGE * 3], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_spool_does_not_keep_the_reporter_from_working(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    (folder / "spool.db").write_bytes(content)
    with edge(folder, AWAY) as life:
        session = life.begin()
        life.write()
        assert life.spool.error is None
        die(life)
    assert after(folder) == [(session.session_id, START), (session.session_id, END)]
    assert not content or (folder / "damaged-1.db").read_bytes() == content


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.parent / "elsewhere")],
    ids=["folder", "pipe", "link"],
)
def test_what_is_no_file_is_not_touched_and_leaves_the_events_in_memory(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    make(folder / "spool.db")
    before = len(os.listdir("/proc/self/fd"))
    with edge(folder, AWAY) as life:
        session = life.begin()
        life.pass_s(5)
        assert life.spool.error == f"{folder}: cannot be written (spool.db is not a regular file)"
        assert ids(life)[0] == (session.session_id, START)
        assert len(os.listdir("/proc/self/fd")) == before
    assert os.listdir(folder) == ["spool.db"]
