"""Several threads and processes share one ``registry.json``, and disks fail."""

import errno
import fcntl
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import Event

import pytest

from payments.clock import now_ms
from payments.disk import Disk
from payments.errors import Rejected, Unavailable
from payments.registry import Registry
from payments.registry import registry as registry_module
from payments.registry.records import Record
from tests.harness import HOST_A, HOST_B
from tests.registry.helpers import RECORD_A, RECORD_B, edit, open_registry, record, registry_path, timeless

WRITERS, RECORDS = 3, 20


def register_many(registry: Registry, writer: int) -> None:
    """Register ``RECORDS`` orchestrators, as one writer."""
    for number in range(RECORDS):
        registry.register({"orchestrator_id": f"orch-{writer}-{number}", "host_public_ip": f"10.0.{writer}.{number}"})


def register_many_from_outside(folder: Path, writer: int) -> None:
    """The same in its own process."""
    register_many(Registry(registry_path(folder), now_ms), writer)


def all_of(writers: Iterable[int]) -> dict[str, str]:
    """The attribution if nothing was lost."""
    return {f"10.0.{writer}.{number}": f"orch-{writer}-{number}" for writer in writers for number in range(RECORDS)}


def test_what_one_registers_another_sees_at_once(tmp_path: Path) -> None:
    first, second = open_registry(tmp_path), open_registry(tmp_path)
    for number in range(20):
        name = f"orch-{number}"
        first.register({"orchestrator_id": name})
        assert name in second.records()
        second.change(name, {"host_public_ip": f"10.0.0.{number}"})
        assert first.attribution()[f"10.0.0.{number}"] == name


def test_what_another_one_registers_counts_while_it_is_still_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise readers would use the old records meanwhile, and writers would write those back."""
    first, second = open_registry(tmp_path), open_registry(tmp_path)
    first.register({"orchestrator_id": "orch-a", "host_public_ip": HOST_A})
    begun, read = Event(), registry_module._read

    def read_slowly(path: Path) -> tuple[bytes, dict[str, Record]]:
        found = read(path)
        begun.set()
        time.sleep(0.2)
        return found

    with ThreadPoolExecutor() as threads:
        monkeypatch.setattr(registry_module, "_read", read_slowly)
        reading = threads.submit(second.attribution)
        begun.wait()
        assert second.attribution() == {HOST_A: "orch-a"}
        second.register({"orchestrator_id": "orch-b"})
        assert reading.result() == {HOST_A: "orch-a"}
    assert {*open_registry(tmp_path).records()} == {"orch-a", "orch-b"}


@pytest.mark.processes
def test_processes_lose_no_update(tmp_path: Path) -> None:
    context = get_context("spawn")
    writers = [context.Process(target=register_many_from_outside, args=(tmp_path, writer)) for writer in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert open_registry(tmp_path).attribution() == all_of(range(WRITERS))


def test_threads_lose_no_update_whether_they_share_the_object_or_not(tmp_path: Path) -> None:
    shared = open_registry(tmp_path)
    with ThreadPoolExecutor(WRITERS + 2) as threads:
        waits = [threads.submit(register_many, open_registry(tmp_path), writer) for writer in range(WRITERS)]
        waits += [threads.submit(register_many, shared, WRITERS + half) for half in (0, 1)]
        for wait in waits:
            wait.result()
    assert shared.attribution() == open_registry(tmp_path).attribution() == all_of(range(WRITERS + 2))


def test_a_host_wanted_by_several_at_once_goes_to_one(tmp_path: Path) -> None:
    def want(number: int) -> bool:
        try:
            open_registry(tmp_path).register({"orchestrator_id": f"orch-{number}", "host_public_ip": HOST_A})
        except Rejected:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(want, range(8))) == 1
    assert len(open_registry(tmp_path).records()) == 1


def test_a_reader_never_sees_half_a_change(tmp_path: Path) -> None:
    writer, reader = open_registry(tmp_path), open_registry(tmp_path)
    writer.register(RECORD_A)
    with ThreadPoolExecutor(1) as threads:
        moved = threads.submit(
            lambda: [writer.change("orch-a", {"host_public_ip": ip}) for ip in (HOST_B, HOST_A) * 20]
        )
        while not moved.done():
            assert list(reader.attribution()) in ([HOST_A], [HOST_B])
            assert reader.problem is None
        moved.result()


class EditedMeanwhile(Disk):
    """An operator saves an edit just when the registry has replaced the file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        if target == registry_path(self._folder):
            edit(self._folder, RECORD_B)


def test_an_edit_right_behind_a_change_is_not_missed(tmp_path: Path) -> None:
    registry = open_registry(tmp_path, disk=EditedMeanwhile(tmp_path))
    registry.register(RECORD_A)
    assert registry.attribution() == {HOST_B: "orch-b"}


class FullDisk(Disk):
    """A disk that fills up: it accepts half of a write, then nothing."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if len(data) < 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(descriptor, data[: len(data) // 2])


def test_full_disk_changes_nothing(tmp_path: Path) -> None:
    edit(tmp_path, RECORD_A)
    before = registry_path(tmp_path).read_bytes()
    registry = open_registry(tmp_path, disk=FullDisk())
    with pytest.raises(Unavailable, match="cannot be written"):
        registry.register(RECORD_B)
    assert timeless(registry) == {"orch-a": record(host_public_ip=HOST_A)}
    assert registry_path(tmp_path).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock on ``path`` like another process."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_registering_waits_for_the_lock_but_not_for_ever(tmp_path: Path) -> None:
    registry = open_registry(tmp_path)
    with held(tmp_path / "registry.json.lock"), pytest.raises(Unavailable, match=r"registry\.json\.lock"):
        registry.register(RECORD_A)
    assert registry.register(RECORD_A)[1]
