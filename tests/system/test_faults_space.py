"""Space that runs out: on the disk of a server, and at every place in a line."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.audit import audit
from tests.harness import ROOT, journal_path, running_server
from tests.system.load import check, faults, load

ROOM_BYTES = 128 << 10
"""What the server has left when it is under way: enough for some hundred events."""

OFFSETS = 24

Teller: TypeAlias = subprocess.Popen[str]


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
        check(server, sent, tmp_path)


def test_a_line_that_is_cut_short_anywhere_leaves_nothing(tmp_path: Path) -> None:
    """By a limit on the size of its file, which the parent sets and lifts while the process runs."""
    journal = journal_path(tmp_path)
    with process_with_a_store(tmp_path) as process:
        for number in range(3):
            assert tell(process, number) == "recorded"
        line_bytes = len(journal.read_bytes().splitlines(keepends=True)[-1])
        number = 3
        # The next line may be a few digits shorter.
        for offset in range(0, line_bytes - 10, max(1, line_bytes // faults(OFFSETS))):
            before = journal.read_bytes()
            limit(process, len(before) + offset)
            assert "no room for another entry" in tell(process, number)
            assert journal.read_bytes() == before
            limit(process, resource.RLIM_INFINITY)
            assert tell(process, number) == "recorded"
            number += 1
    entries, _ = audit(journal)
    assert [entry["session"]["event_id"] for entry in entries] == [str(each) for each in range(number)]


def fill(ballast: Path) -> None:
    """Leave ``ROOM_BYTES`` on the disk."""
    disk = os.statvfs(ballast.parent)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - ROOM_BYTES)


@contextmanager
def process_with_a_store(folder: Path) -> Iterator[Teller]:
    """A process of ``teller.py`` on ``folder``, ended at the end."""
    command = [sys.executable, "-m", "tests.system.teller", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.communicate()
            assert process.returncode == 0
        finally:
            process.kill()


def tell(process: Teller, number: int) -> str:
    """What ``process`` says to its event ``number``."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n")


def limit(process: Teller, file_bytes: int) -> None:
    """No file of ``process`` may grow past ``file_bytes``."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))
