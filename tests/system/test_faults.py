"""Processes that are killed, stopped or replaced, and a disk that fails, while edges report.

``PAYMENTS_TEST_FAULTS=20`` makes it twenty times as many faults.
"""

import os
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.harness import Server, journal_path, running_server, until
from tests.system.load import check, faults, load

KILLS, STOPS = 6, 1
CALLS = ("write", "fdatasync", "fsync", "?rename,?renameat,renameat2", "fchmod")
SMALL_SEGMENTS = {"PAYMENTS_JOURNAL_SEGMENT_BYTES": "65536"}


@pytest.fixture
def rotating_server(tmp_path: Path) -> Iterator[Server]:
    """A server whose journal has about fifty entries a file."""
    with running_server(tmp_path, SMALL_SEGMENTS) as running:
        running.register()
        yield running


def test_kills_of_workers_and_masters_lose_nothing_and_service_resumes(rotating_server: Server, tmp_path: Path) -> None:
    server = rotating_server
    chance = random.Random(3)
    with load(server) as sent:
        for number in range(faults(KILLS)):
            if number % 4 == 3:
                server.stop(signal.SIGKILL)
                server.start()
            else:
                until(lambda: bool(server.workers()))
                os.kill(chance.choice(server.workers()), signal.SIGKILL)
            sent.goes_on(chance.randrange(1, 60))
    check(server, sent, tmp_path)
    assert "Traceback" not in server.log.read_text()


def test_while_the_holder_of_the_lock_is_stopped_the_others_refuse(server: Server, tmp_path: Path) -> None:
    server.register()
    with load(server) as sent:
        for _ in range(faults(STOPS)):
            with stopped_holder(server):
                # Not more often: gunicorn ends a worker that has been silent for 30 s, and that frees the lock.
                sent.is_refused("is held by another process for too long", times=1)
            sent.goes_on()
    check(server, sent, tmp_path)


def test_an_old_and_a_new_master_share_the_files(rotating_server: Server, tmp_path: Path) -> None:
    old = rotating_server
    with ExitStack() as ending:
        with load(old) as sent:
            new = ending.enter_context(running_server(tmp_path, SMALL_SEGMENTS))
            sent.ports = [old.port, new.port]
            sent.goes_on(200)
            sent.ports = [new.port]
            assert old.stop() == 0
            sent.goes_on()
        check(new, sent, tmp_path)


def test_a_worker_that_dies_in_any_call_that_changes_a_file_does_no_harm(
    rotating_server: Server, tmp_path: Path
) -> None:
    server = rotating_server
    with load(server) as sent:
        for number in range(faults(len(CALLS))):
            kill_in(server, CALLS[number % len(CALLS)])
            sent.goes_on()
    check(server, sent, tmp_path)


def test_writes_that_fail_are_refused_and_service_resumes(rotating_server: Server, tmp_path: Path) -> None:
    server = rotating_server
    with load(server) as sent:
        with failing(server.workers()[0], "write", "error=ENOSPC:when=1+3", only=journal_path(server.data)):
            sent.is_refused("no room for another entry")
            sent.goes_on()
        sent.goes_on()
    check(server, sent, tmp_path)


def test_after_a_failed_sync_everybody_refuses_until_a_restart(server: Server, tmp_path: Path) -> None:
    server.register()
    with load(server) as sent:
        with failing(server.workers()[0], "fdatasync", "error=EIO:when=3"):
            sent.is_refused("a sync failed", times=40)
        before = len(sent.acknowledged)
        sent.is_refused("a sync failed", times=40)
        assert len(sent.acknowledged) == before
        server.stop()
        server.start()
        sent.goes_on()
    check(server, sent, tmp_path)
    assert "verified from disk" in server.log.read_text()


def kill_in(server: Server, calls: str) -> None:
    """Let a worker die as it makes one of these system calls."""
    victim = server.workers()[-1]
    with failing(victim, calls, "signal=KILL"):
        until(lambda: victim not in server.workers())


@contextmanager
def stopped_holder(server: Server) -> Iterator[None]:
    """Stop a worker in the middle of a turn at the journal."""
    victim = server.workers()[0]
    inode = os.stat(f"{journal_path(server.data)}.lock").st_ino

    def is_caught() -> bool:
        os.kill(victim, signal.SIGSTOP)
        # Lines of those that wait have an arrow in them.
        holds = re.search(
            rf"^\d+: FLOCK +ADVISORY +WRITE {victim} \S+:{inode} ", Path("/proc/locks").read_text(), re.MULTILINE
        )
        if not holds:
            os.kill(victim, signal.SIGCONT)
        return bool(holds)

    try:
        until(is_caught)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGCONT)


@contextmanager
def failing(pid: int, calls: str, how: str, only: Path | None = None) -> Iterator[None]:
    """Let system calls of process ``pid`` go by strace's ``inject=CALLS:HOW``, counted thread by thread.

    ``only``: those on this file.
    """
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{how}"]
    path = ["-P", str(only)] if only else []
    with subprocess.Popen([*command, *path, "-p", str(pid)]) as tracer:
        try:
            yield
        finally:
            tracer.terminate()
