"""Projections follow the journal soon, or once they can be written again, and nobody waits for them."""

import errno
import json
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.readings import AWAKE, UNKNOWN, Reading
from payments.domain.records import balance_record, power_record, session_record
from payments.domain.sessions import HEARTBEAT, START
from payments.store.file.projector import MIN_INTERVAL_S
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import (
    NOON_MS,
    TERMS,
    Clock,
    event,
    file_store,
    journal_path,
    projections,
    show_all,
    shown_seq,
    state_of,
    uncoded,
    until,
)

MANY = 130


def projection(path: Path) -> dict[str, Any]:
    """The document at ``path``."""
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def check_shown(store: FileStore, folder: Path) -> None:
    """Wait until the projections show exactly the state of ``store``."""
    state = state_of(store)
    show_all(store, folder)
    sessions, balances, power = map(projection, projections(folder))
    assert sessions["sessions"] == [session_record(session) for session in state.sessions.values()]
    assert balances["balances"] == [balance_record(balance, "eth") for _, balance in sorted(state.balances.items())]
    assert power["power"] == [power_record(each) for _, each in sorted(state.power.items())]
    assert sessions["journal"] == balances["journal"] == power["journal"]
    assert sessions["journal"]["seq"] == state.seq
    assert sessions["journal"]["offset"] == journal_path(folder).stat().st_size


@pytest.fixture
def elsewhere(tmp_path: Path) -> Paths:
    """Projections in their own folder, so that a test can remove it under a store."""
    (tmp_path / "shown").mkdir()
    return projections(tmp_path / "shown")


@pytest.fixture
def apart(tmp_path: Path, elsewhere: Paths) -> Iterator[FileStore]:
    """A store with its projections ``elsewhere``."""
    store = FileStore(journal_path(tmp_path), elsewhere, lambda: TERMS, Clock(), disk=HastyDisk())
    yield store
    store.close()


def recorded(store: FileStore, *session_ids: str, kind: str = START, at_ms: int = NOON_MS) -> None:
    """Let ``store`` record one event for each session."""
    results = store.execute([event(session_id, kind, at_ms) for session_id in session_ids])
    assert [result.kind for result in results if isinstance(result, Outcome)] == [RECORDED] * len(session_ids)


def many() -> list[str]:
    """Ids of so many sessions that a request would not wait for writing them."""
    return [f"s-{number}" for number in range(MANY)]


def test_an_empty_store_shows_that_it_is_empty(tmp_path: Path) -> None:
    store = file_store(tmp_path, disk=HastyDisk())
    check_shown(store, tmp_path)
    store.close()


def test_an_event_shows_within_a_fifth_of_a_second(tmp_path: Path) -> None:
    """This holds most of the time: on a busy machine any single one may be late."""
    store = file_store(tmp_path, disk=HastyDisk())
    took_s = []
    for number in range(20):
        begun_s = time.monotonic()
        recorded(store, f"s-{number}")
        until(lambda: shown_seq(tmp_path) == number + 1)  # noqa: B023 - called at once
        took_s.append(time.monotonic() - begun_s)
    assert sorted(took_s)[10] < 0.2
    store.close()


def test_a_burst_of_events_is_written_a_few_times_only(tmp_path: Path) -> None:
    class CountingDisk(HastyDisk):
        def replace(self, source: Path, target: Path) -> None:
            written.append(target.name)
            super().replace(source, target)

    written: list[str] = []
    store = file_store(tmp_path, disk=CountingDisk())
    begun_s = time.monotonic()
    for number in range(200):
        recorded(store, f"s-{number}")
    check_shown(store, tmp_path)
    assert written.count("sessions.json") <= (time.monotonic() - begun_s) / MIN_INTERVAL_S + 2
    store.close()


def test_a_reading_shows(tmp_path: Path, clock: Clock) -> None:
    store = file_store(tmp_path, TERMS._replace(power_rate_wei_per_minute=10**15), clock, HastyDisk())
    for number in range(5):
        clock.now_ms += 1000
        store.execute([Reading(f"orch-{number % 3}", AWAKE if number % 4 else UNKNOWN, clock.now_ms)])
        check_shown(store, tmp_path)
    store.close()


def test_an_event_shows_whichever_store_recorded_it(tmp_path: Path) -> None:
    one, other = file_store(tmp_path, disk=HastyDisk()), file_store(tmp_path, disk=HastyDisk())
    recorded(one, "s-1")
    recorded(other, "s-2")
    recorded(one, "s-3")
    check_shown(other, tmp_path)
    one.close()
    other.close()
    assert shown_seq(tmp_path) == 3


def test_no_request_writes_them(tmp_path: Path) -> None:
    class WatchfulDisk(HastyDisk):
        def replace(self, source: Path, target: Path) -> None:
            writers.add(threading.current_thread().name)
            super().replace(source, target)

    writers: set[str] = set()
    store = file_store(tmp_path, disk=WatchfulDisk())
    writers.clear()
    recorded(store, *many())
    until(lambda: shown_seq(tmp_path) == MANY)
    store.close()
    assert writers == {"projector"}


def test_a_start_does_not_wait_for_their_lock(tmp_path: Path) -> None:
    with FileLock(tmp_path / "sessions.json.lock"):
        begun_s = time.monotonic()
        store = file_store(tmp_path, disk=HastyDisk())
        assert time.monotonic() - begun_s < 5
    check_shown(store, tmp_path)
    store.close()


def test_a_process_that_keeps_their_lock_delays_nobody(tmp_path: Path) -> None:
    store = file_store(tmp_path, disk=HastyDisk())
    check_shown(store, tmp_path)
    with FileLock(tmp_path / "sessions.json.lock"):
        begun_s = time.monotonic()
        for number in range(50):
            recorded(store, f"s-{number}")
            assert store.check()["seq"] == number + 1
        assert time.monotonic() - begun_s < 5
        assert shown_seq(tmp_path) == 0
    check_shown(store, tmp_path)
    store.close()


@pytest.mark.parametrize("disk", [HastyDisk(), None], ids=["without syncs", "with syncs"])
def test_after_a_clean_stop_they_show_everything(disk: HastyDisk | None, tmp_path: Path) -> None:
    store = file_store(tmp_path, disk=disk)
    recorded(store, *many())
    for number in range(50):
        recorded(store, f"s-{number}", kind=HEARTBEAT, at_ms=NOON_MS + 1000)
    store.close()
    again = file_store(tmp_path, disk=disk)
    assert state_of(again).seq == MANY + 50
    check_shown(again, tmp_path)
    again.close()


def test_they_show_nothing_that_is_not_on_disk(tmp_path: Path) -> None:
    """A projection confirms its lines, so one written before the sync would make a torn tail look like damage."""
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    disk.log.clear()
    recorded(store, "s-1")
    store.close()
    journal = journal_path(tmp_path).name
    order = [
        call for call in disk.log if call in ((("write"), journal), ("sync", journal), ("replace", "sessions.json"))
    ]
    assert order[:3] == [("write", journal), ("sync", journal), ("replace", "sessions.json")]


@pytest.mark.parametrize("sessions", [["s-1"], many()], ids=["few sessions", "many sessions"])
def test_a_folder_that_became_a_file_fails_no_event(
    sessions: list[str], apart: FileStore, elsewhere: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    recorded(apart, *sessions)
    folder = elsewhere.sessions.parent
    until(lambda: shown_seq(folder) == len(sessions))
    shutil.rmtree(folder)
    folder.write_text("not a folder")
    for number in range(3):
        recorded(apart, f"other-{number}")
    until(lambda: "cannot be brought up to date" in caplog.text, timeout_s=10)
    folder.unlink()
    folder.mkdir(exist_ok=True)  # the store may have made it by now
    recorded(apart, "last")
    until(lambda: shown_seq(folder) == len(sessions) + 4)


def test_a_folder_that_is_gone_is_made_again(apart: FileStore, elsewhere: Paths) -> None:
    shutil.rmtree(elsewhere.sessions.parent)
    recorded(apart, "s-1")
    until(lambda: shown_seq(elsewhere.sessions.parent) == 1)


def test_a_store_starts_and_records_where_projections_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    paths = projections(tmp_path / "file")
    for number in range(2):
        store = FileStore(journal_path(tmp_path), paths, lambda: TERMS, Clock(), disk=HastyDisk())
        recorded(store, f"s-{number}")
        assert state_of(store).seq == number + 1
        store.close()


@pytest.mark.parametrize("name", ["sessions.json", "balances.json", "power_meter.json"])
@pytest.mark.parametrize(
    ("operation", "suffix"),
    [("open", ".new"), ("write", ".new"), ("sync", ".new"), ("replace", "")],
    ids=["open", "write", "sync", "rename"],
)
def test_a_full_disk_below_a_projection_fails_no_event(
    name: str, operation: str, suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    check_shown(store, tmp_path)
    before = (tmp_path / name).read_bytes()
    disk.broken[operation, name + suffix] = Fail(errno.ENOSPC)
    for number in range(3):
        recorded(store, f"s-{number}")
    until(lambda: "cannot be brought up to date" in caplog.text)
    assert (tmp_path / name).read_bytes() == before
    disk.broken.clear()
    recorded(store, "s-3")
    check_shown(store, tmp_path)
    store.close()


def test_a_projection_that_cannot_be_written_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    check_shown(store, tmp_path)
    disk.broken["write", "sessions.json.new"] = Fail(errno.ENOSPC)
    with caplog.at_level(logging.WARNING):
        recorded(store, "s-1")
        until(lambda: disk.log.count(("write", "sessions.json.new")) >= 4)
    complaint = f"{', '.join(map(str, projections(tmp_path)))} cannot be brought up to date: "
    assert [uncoded(record.getMessage())[: len(complaint)] for record in caplog.records] == [complaint]
    store.close()
