"""Payments never writes through a symbolic link: somebody who plants one could choose which file is overwritten."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from payments.cli.files import write_text
from payments.disk import Disk, replace_file
from payments.disk.lock import HotLock, brief_lock, lock_free
from payments.store.file import halt
from tests.cli.command import done, settle
from tests.harness import event, file_engine, file_store, journal_path

TX = "0x" + "a" * 64
# The audit hook cannot be removed, so it is told where to write, if anywhere.
_listening: list[list[tuple[str, int]]] = []


def _listen(kind: str, arguments: tuple[object, ...]) -> None:
    if kind == "open" and isinstance(arguments[2], int):
        for each in _listening:
            each.append((str(arguments[0]), arguments[2]))


@pytest.fixture
def opened() -> Iterator[list[tuple[str, int]]]:
    """Path and flags of everything that this process opens."""
    sys.addaudithook(_listen)
    _listening.append([])
    yield _listening[0]
    _listening.clear()


def live(data: Path) -> None:
    """Make Payments write all files of its data folder."""
    done("orchestrators", "add", "orch-a", "--host-public-ip", "203.0.113.10", "--address", "0x" + "1" * 40)
    store = file_store(data, segment_bytes=1)
    for number in range(3):
        store.execute([event(f"s-{number}")])
    store.maintain()
    store.close()
    descriptor = Disk().open(journal_path(data), os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, b'{"seq":')
    os.close(descriptor)
    file_store(data).close()
    halt.set_mark(Disk(), journal_path(data), "test")
    lease = file_engine(data).lease("worker")
    assert lease.try_acquire()
    lease.publish({})
    lease.close()
    done("ledger", "adjust", "orch-a", "1", "--reference", "x", "--note", "y")
    done("payouts", "prepare", "-o", f"{data}/payouts/")
    done("payouts", "record", "--tx", TX, str(next((data / "payouts").glob("*.csv"))))
    done("backup", str(data / "copy"))
    done("restore", str(data / "copy"))


def test_whatever_is_opened_for_writing_is_opened_without_following_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[tuple[str, int]]
) -> None:
    data = settle(tmp_path, monkeypatch)
    live(data)
    written = [each for each in opened if each[0].startswith(str(data)) and each[1] & (os.O_WRONLY | os.O_RDWR)]
    assert [path for path, flags in written if not flags & os.O_NOFOLLOW] == []
    assert {Path(path).name for path, _ in written} >= {
        "ledger-events.log", "ledger-events.log.lock", "ledger-events.log.compress.lock", "ledger-events.log.halted",
        "ledger-events.log.00000000000000000001.gz.new", "ledger-events.log.worker.lock",
        "ledger-events.log.worker.json.new", "sessions.json.new", "balances.json.new", "power_meter.json.new",
        "sessions.json.lock", "registry.json.new", "registry.json.lock", "registry.json.good.new", ".payouts.lock",
        "backup.json.new",
    }  # fmt: skip


def test_a_link_in_place_of_a_temporary_file_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("somebody's")
    for make in (os.symlink, os.link):
        make(tmp_path / "target", tmp_path / "sessions.json.new")
        replace_file(Disk(), tmp_path / "sessions.json", [b"{}"])
        assert (tmp_path / "sessions.json").read_bytes() == b"{}"
        assert (tmp_path / "target").read_text() == "somebody's"


def test_a_link_in_place_of_a_payout_s_slip_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("somebody's")
    (tmp_path / "pay.csv.json").symlink_to(tmp_path / "target")
    write_text(tmp_path / "pay.csv.json", ["{}"])
    assert ((tmp_path / "target").read_text(), (tmp_path / "pay.csv.json").read_text()) == ("somebody's", "{}")


def _brief(path: Path) -> None:
    with brief_lock(path, 0):
        pass


@pytest.mark.parametrize(
    "use",
    [lambda path: Disk().open(path, os.O_RDWR | os.O_CREAT), HotLock, _brief],
    ids=["file", "lock", "brief lock"],
)
def test_a_link_is_refused_and_named(tmp_path: Path, use: Callable[[Path], object]) -> None:
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="symbolic link") as caught:
        use(tmp_path / "link")
    assert (caught.value.errno, str(caught.value.filename)) == (errno.ELOOP, str(tmp_path / "link"))
    assert not (tmp_path / "target").exists()


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        Disk().open(tmp_path / "pipe", os.O_RDONLY)
    with lock_free(tmp_path / "pipe", 60):
        pass
