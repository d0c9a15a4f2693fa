"""After a power cut at any moment, a start finds everything acknowledged, and the store continues."""

import logging
import os
from collections import Counter
from pathlib import Path

import pytest

from payments.errors import Unavailable
from tests.audit import read_journal
from tests.harness import event, file_store, journal_path
from tests.store.file.crash.campaign import problem_of, promises, run
from tests.store.file.crash.recording import (
    Create,
    MakeFolder,
    MakeReadOnly,
    Operation,
    RecordingDisk,
    Replace,
    Sync,
    SyncFolder,
    Truncate,
    Write,
)
from tests.store.file.crash.states import Change, Volume, contents, crash_states
from tests.store.file.crash.workload import record

pytestmark = pytest.mark.long

STATES = int(os.environ.get("PAYMENTS_TEST_CRASH_STATES", "10000"))


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Silence reports of torn tails, which most states have."""
    caplog.set_level(logging.CRITICAL, "payments")


def test_every_state_that_a_crash_can_leave_is_recovered_from(tmp_path: Path) -> None:
    campaign = run(tmp_path, STATES)
    assert Counter(failure.problem for failure in campaign.failures) == Counter()
    assert campaign.states >= STATES
    assert campaign.journals >= STATES // 10


class Unsynced(RecordingDisk):
    """A disk whose syncs of files do nothing."""

    def sync(self, descriptor: int) -> None:
        self.before_sync()


class Unnamed(RecordingDisk):
    """A disk whose syncs of folders do nothing."""

    def sync_folder(self, path: Path) -> None:
        pass


@pytest.mark.parametrize("disk", [Unsynced, Unnamed], ids=["files", "folders"])
def test_a_disk_that_does_not_sync_loses_what_was_acknowledged(tmp_path: Path, disk: type[RecordingDisk]) -> None:
    recorded = record(tmp_path / "workload", 1, disk, turns=1)
    volume = Volume()
    for operation in recorded.log:
        volume.apply(operation)
    end = len(recorded.log)
    everything_lost = next(volume.states())
    problem = problem_of(tmp_path / "crashed", everything_lost, promises(recorded, end, end), recorded.end_ms)
    assert problem is not None
    assert "acknowledged and lost" in problem


def test_a_segment_is_read_only_only_under_its_final_name(tmp_path: Path) -> None:
    """A writer that died in between would leave an active file that nobody can open."""
    log = record(tmp_path / "workload", 0).log
    active = {operation.file for operation in log if isinstance(operation, Create) and operation.path.endswith(".log")}
    sealings = [index for index, op in enumerate(log) if isinstance(op, MakeReadOnly) and op.file in active]
    assert sealings
    for index in sealings:
        assert [type(operation) for operation in log[index - 2 : index]] == [Replace, SyncFolder]


def test_a_cut_on_a_full_disk_is_synced_before_anything_is_written_behind_it(tmp_path: Path) -> None:
    """Otherwise a crash may keep the size before the truncation, with a mixture of old and new lines."""
    disk = RecordingDisk(tmp_path)
    store = file_store(tmp_path, disk=disk)
    store.execute([event("s-1")])
    disk.room_bytes = 100
    with pytest.raises(Unavailable):
        store.execute([event("s-2")])
    store.execute([event("s-2")])
    store.close()
    made = [operation for operation in disk.log if isinstance(operation, Create)]
    journal = next(create.file for create in made if create.path.endswith("ledger-events.log"))
    changes = [op for op in disk.log if isinstance(op, Write | Truncate | Sync) and op.file == journal]
    assert [type(op) for op in changes] == [Sync, Write, Sync, Write, Truncate, Sync, Write, Sync]


def test_a_seed_repeats_its_workload(tmp_path: Path) -> None:
    assert record(tmp_path / "once", 7) == record(tmp_path / "again", 7)


def test_workloads_meet_every_hazard(tmp_path: Path) -> None:
    log = [operation for seed in range(4) for operation in record(tmp_path / f"{seed}", seed).log]
    kinds = {type(operation).__name__ for operation in log}
    assert kinds == {
        "MakeFolder", "Create", "Write", "Truncate", "MakeReadOnly", "Sync", "Replace", "Remove", "SyncFolder"
    }  # fmt: skip
    torn = [operation for operation in log if isinstance(operation, Create) and ".torn-" in operation.path]
    sealed = [operation for operation in log if isinstance(operation, Replace) and "/" in operation.target]
    compressed = [operation for operation in sealed if operation.target.endswith(".gz")]
    assert torn
    assert compressed
    assert len(sealed) > len(compressed)


def test_workloads_read_power_and_look_after_sessions(tmp_path: Path) -> None:
    told = [command for seed in range(4) for command in record(tmp_path / f"{seed}", seed).acknowledged]
    assert {"reap", "forget"} <= {command.split()[0] for command in told}
    lines = b"".join(read_journal(journal_path(tmp_path / f"{seed}")) for seed in range(4))
    assert lines.count(b'"reason":"power_time"') > 2
    assert lines.count(b'"reason":"power_read"') > 4


def names_after(*log: Operation) -> list[list[str]]:
    """File names in each state that a crash after ``log`` can leave."""
    states = {state for prefix, state in crash_states(log) if prefix == len(log)}
    return sorted(sorted(path for path, _ in state) for state in states)


def test_a_name_is_certain_once_its_folder_is_synced() -> None:
    made = (MakeFolder("audit"), SyncFolder("."), Create("audit/a", 0))
    assert names_after(*made) == [[], ["audit/a"]]
    assert names_after(*made, SyncFolder("audit")) == [["audit/a"]]


def test_a_kept_name_implies_the_earlier_ones_of_its_folder_only() -> None:
    log = (Create("a", 0), SyncFolder("."), Replace("a", "b"), Create("a", 1))
    assert names_after(*log) == [["a"], ["a", "b"], ["b"]]


def test_a_file_in_a_folder_that_is_lost_is_lost() -> None:
    assert names_after(MakeFolder("audit"), Create("audit/a", 0), SyncFolder("audit")) == [[], ["audit/a"]]


def test_a_sync_covers_what_was_written_before_it_began() -> None:
    log = (Create("a", 0), SyncFolder("."), Write(0, 0, b"one"), Write(0, 3, b"two"), Sync(0, begun=3))
    last = {state for prefix, state in crash_states(log) if prefix == len(log)}
    found = {remains.data for state in last for _, remains in state}
    assert found == {b"one", b"onet", b"onetw", b"one\0\0\0", b"onetwo"}


def test_sectors_of_unsynced_writes_arrive_one_by_one() -> None:
    found = set(contents(b"a" * 500, [Write(0, 500, b"b" * 24), Write(0, 524, b"c" * 600)]))
    assert b"a" * 500 + bytes(12) + b"b" * 12 + b"c" * 600 in found
    assert b"a" * 500 + bytes(24) + b"c" * 600 in found
    assert b"a" * 500 + b"b" * 24 + b"c" * 500 + bytes(100) in found
    assert all(data.startswith(b"a" * 500) for data in found)


def test_a_cut_that_is_lost_shows_what_was_there_beyond_the_sectors_written_since() -> None:
    cut: list[Change] = [Write(0, 0, b"x" * 1200), Truncate(0, 0), Write(0, 0, b"y" * 100)]
    found = set(contents(b"", cut))
    assert b"y" * 100 in found
    assert b"y" * 100 + bytes(412) + b"x" * 688 in found
