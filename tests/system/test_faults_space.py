"""A disk runs full under a server, and at every byte of a line; truncation then fails or kills the process."""

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.audit import audit
from tests.harness import Server, journal_lines, journal_path, running_server, shown_seq, until
from tests.system.load import check, faults, load, torn_tails
from tests.system.recorder_processes import PlannedFault, RecorderProcess, limit_files, running_recorder
from tests.system.tracing import failing, is_dead

ROOM_BYTES = 128 << 10
"""Free space once the server runs: enough for some hundred events."""

STEP_BYTES = 4
"""Try every fourth of the slow lengths, or each if ``PAYMENTS_TEST_FAULTS`` is 4 or more."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB in place of the server's data folder."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "payments-test", str(data)], check=True)
    yield data
    subprocess.run(["umount", "--lazy", str(data)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_refuses_until_there_is_space(small_disk: Path, tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.register()
        with load(server) as sent:
            for _ in range(faults(2)):
                fill(small_disk / "ballast")
                sent.is_refused("no room for another entry")
                assert server.call("GET", "/readyz").status_code == 503
                (small_disk / "ballast").unlink()
                sent.goes_on()
        check(server, sent)


def test_a_line_that_is_cut_short_anywhere_leaves_nothing(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as process:
        cut_short_everywhere(tmp_path, process, remains=False)
    assert not torn_tails(tmp_path)


def test_a_line_that_is_cut_short_anywhere_and_cannot_be_cut_back_is_set_aside(tmp_path: Path) -> None:
    """The first of two truncations fails, so the rest of the line stays until the next turn, which does the second."""
    with running_recorder(tmp_path, fault=PlannedFault("ftruncate", "error=EIO:when=1+2")) as process:
        longest = cut_short_everywhere(tmp_path, process, remains=True, step=max(1, STEP_BYTES // faults(1)))
    # The clock is stopped, so all were set aside under one name.
    assert [len(path.read_bytes()) for path in torn_tails(tmp_path)] == [longest]


@pytest.mark.parametrize("share", [0, 0.5, 1], ids=["first byte", "half of it", "nearly all"])
def test_a_process_that_dies_at_cutting_back_leaves_it_to_the_next(tmp_path: Path, share: float) -> None:
    journal = journal_path(tmp_path)
    with running_recorder(tmp_path, fault=PlannedFault("ftruncate", "signal=KILL")) as process:
        assert process.tell(0) == process.tell(1) == "recorded"
        before = journal.read_bytes()
        # Digits of other lengths make the next line a few bytes shorter or longer.
        tail_bytes = max(1, round(share * (len(journal_lines(tmp_path)[-1]) - 20)))
        process.limit_files(len(before) + tail_bytes)
        assert process.tell(2) == ""
    left = journal.read_bytes()
    assert (left[: len(before)], len(left)) == (before, len(before) + tail_bytes)

    with running_recorder(tmp_path, fault=PlannedFault("ftruncate", "signal=KILL")) as process:
        assert process.said == ""
    with running_recorder(tmp_path, fault=PlannedFault("ftruncate", "error=EIO")) as process:
        assert "cannot be used (Input/output error)" in process.said
    assert journal.read_bytes() == left
    with running_recorder(tmp_path) as process:
        assert process.said == "ready"
        assert process.tell(2) == "recorded"
    assert torn_tails(tmp_path)
    assert {path.read_bytes() for path in torn_tails(tmp_path)} == {left[len(before) :]}
    check_numbers(tmp_path, 3)


def test_while_cuts_fail_nothing_is_recorded_and_no_copies_pile_up(tmp_path: Path) -> None:
    journal = journal_path(tmp_path)
    with running_recorder(tmp_path) as process, running_recorder(tmp_path) as other:
        assert process.tell(0) == "recorded"
        with failing(process.pid, "ftruncate", "error=EIO"):
            process.limit_files(journal.stat().st_size + 10)
            assert "no room for another entry" in process.tell(1)
            process.limit_files()
            for _ in range(3):
                assert "cannot be read or fixed (Input/output error)" in process.tell(1)
            assert not torn_tails(tmp_path)
            assert other.tell(1) == "recorded"
            assert process.tell(2) == "recorded"
    assert [len(path.read_bytes()) for path in torn_tails(tmp_path)] == [10]
    check_numbers(tmp_path, 3)


@pytest.mark.parametrize("how", ["error=EIO", "signal=KILL"])
def test_workers_that_fail_or_die_at_cutting_back_lose_nothing_under_load(
    server: Server, tmp_path: Path, how: str
) -> None:
    server.register()
    with load(server) as sent:
        for number in range(faults(2)):
            # The worker that died before may not be replaced yet.
            until(lambda: len(server.workers()) == 2)
            run_short(server, server.workers()[number % 2], how)
            sent.goes_on()
    check(server, sent)


def cut_short_everywhere(folder: Path, process: RecorderProcess, *, remains: bool, step: int = 1) -> int:
    """Give event 1 ``step`` bytes more space each time, until it fits; return the space that it had before.

    ``remains``: whether the written part of the line is still there when the event is refused.
    """
    journal = journal_path(folder)
    assert process.tell(0) == "recorded"
    # Writing the projections takes its own turn, which would set the rest aside.
    until(lambda: shown_seq(folder) == 1)
    before = journal.read_bytes()
    for room in count(step, step):
        process.limit_files(len(before) + room)
        answer = process.tell(1)
        if answer == "recorded":
            break
        assert "no room for another entry" in answer
        left = journal.read_bytes()
        assert (left[: len(before)], len(left)) == (before, len(before) + (room if remains else 0))
    process.limit_files()
    assert process.tell(2) == "recorded"
    check_numbers(folder, 3)
    assert room - step < len(journal_lines(folder)[1]) <= room
    return room - step


def check_numbers(folder: Path, recorded: int) -> None:
    """Check that the journal has exactly the events 0, 1, 2 …, ``recorded`` in all."""
    entries, _ = audit(journal_path(folder))
    assert [entry["session"]["event_id"] for entry in entries] == [str(number) for number in range(recorded)]


def run_short(server: Server, worker: int, how: str) -> None:
    """Leave space for some lines, which any worker may use, until a truncation of ``worker`` has failed."""
    with failing(worker, "ftruncate", how) as failed:
        limit_files(worker, journal_path(server.data).stat().st_size + 5_000)
        until(lambda: is_dead(worker) or failed() > 0)
        if how != "signal=KILL":
            limit_files(worker)
    assert is_dead(worker) == (how == "signal=KILL")


def fill(ballast: Path) -> None:
    """Leave ``ROOM_BYTES`` free on the disk."""
    disk = os.statvfs(ballast.parent)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - ROOM_BYTES)
