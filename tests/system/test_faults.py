"""Processes that are killed, stopped or replaced, and a disk that fails, while edges report.

``PAYMENTS_TEST_FAULTS=20`` makes twenty times as many faults. This is the campaign of two hundred kills, which prints
its result::

    PAYMENTS_TEST_FAULTS=20 pytest tests/system/test_faults.py -rP -k kills_of_workers
"""

import os
import random
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.harness import Server, journal_path, running_server, until
from tests.system.load import check, faults, load
from tests.system.tracing import RENAME, failing, is_dead

pytestmark = pytest.mark.long

KILLS, STOPS, UNLINKS = 10, 1, 5
KILLING = ("write", "fdatasync", "fsync", RENAME, "fchmod")
FAILING = {
    "writing the journal": ("write", ["audit/ledger-events.log"]),
    "writing projections": ("write", ["sessions.json.new", "balances.json.new"]),
    "syncing projections": ("fdatasync", ["sessions.json.new", "balances.json.new"]),
    "renaming projections": (RENAME, ["sessions.json.new", "balances.json.new"]),
    "syncing the folder of projections": ("fsync", ["."]),
    "renaming the journal": (RENAME, ["audit/ledger-events.log"]),
}
SMALL_SEGMENTS = {"PAYMENTS_JOURNAL_SEGMENT_BYTES": "65536"}


@pytest.fixture
def rotating_server(tmp_path: Path) -> Iterator[Server]:
    """A server whose journal has about fifty entries in each file."""
    with running_server(tmp_path, SMALL_SEGMENTS) as running:
        running.register()
        yield running


def test_kills_of_workers_and_masters_lose_nothing_and_service_resumes(rotating_server: Server) -> None:
    server = rotating_server
    chance = random.Random(3)
    kills = faults(KILLS)
    with load(server) as sent:
        for number in range(kills):
            if number % 4 == 3:
                server.stop(signal.SIGKILL)
                server.start()
            else:
                until(lambda: bool(server.workers()))
                os.kill(chance.choice(server.workers()), signal.SIGKILL)
            sent.goes_on(chance.randrange(1, 60))
    check(server, sent)
    assert "Traceback" not in server.log.read_text()
    sys.stdout.write(
        f"{kills} kills, {kills // 4} of them of masters: {len(sent.acknowledged)} events acknowledged, each once in "
        f"the journal, nothing else in it; {sent.refused.total()} refusals\n"
    )


def test_while_the_holder_of_the_lock_is_stopped_the_others_refuse(server: Server) -> None:
    server.register()
    with load(server) as sent:
        for _ in range(faults(STOPS)):
            with stopped_holder(server):
                # Not more often: gunicorn ends a worker that has been silent for 30 s, and that frees the lock.
                sent.is_refused("is held by another process for too long", times=1)
            sent.goes_on()
    check(server, sent)


def test_lock_files_that_are_unlinked_let_nobody_in_twice(rotating_server: Server) -> None:
    server = rotating_server
    with load(server) as sent:
        for _ in range(faults(UNLINKS)):
            for lock in server.data.rglob("*.lock"):
                lock.unlink()
            sent.goes_on()
        assert f"{journal_path(server.data)}.lock" in map(str, server.data.rglob("*.lock"))
    check(server, sent)


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
        check(new, sent)


def test_a_worker_that_dies_in_any_call_that_changes_a_file_does_no_harm(rotating_server: Server) -> None:
    server = rotating_server
    with load(server) as sent:
        for number in range(faults(len(KILLING))):
            kill_in(server, KILLING[number % len(KILLING)])
            sent.goes_on()
    check(server, sent)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_calls_that_fail_lose_nothing_and_service_resumes(rotating_server: Server, error: str) -> None:
    """But for syncs of the journal itself: the next test."""
    server = rotating_server
    with load(server) as sent:
        for calls, names in FAILING.values():
            fail_in(server, calls, error, [server.data / name for name in names])
            sent.goes_on()
    check(server, sent)
    assert sent.refused
    assert "cannot be brought up to date" in server.log.read_text()


@pytest.mark.parametrize(("call", "name"), [("fdatasync", "audit/ledger-events.log"), ("fsync", "audit")])
def test_after_a_failed_sync_everybody_refuses_until_a_restart(rotating_server: Server, call: str, name: str) -> None:
    """Syncs of the journal, or of its folder when it is sealed."""
    server = rotating_server
    with load(server) as sent:
        with failing(server.workers()[0], call, "error=EIO:when=1", [server.data / name]):
            sent.is_refused("a sync failed", times=40)
        before = len(sent.acknowledged)
        sent.is_refused("a sync failed", times=40)
        assert len(sent.acknowledged) == before
        server.stop()
        server.start()
        sent.goes_on()
    check(server, sent)
    assert "verified from disk" in server.log.read_text()


def kill_in(server: Server, calls: str) -> None:
    """Let a worker die as it makes one of these system calls."""
    victim = server.workers()[-1]
    with failing(victim, calls, "signal=KILL"):
        until(lambda: is_dead(victim))
    until(lambda: victim not in server.workers())


def fail_in(server: Server, calls: str, error: str, files: list[Path]) -> None:
    """Let these system calls of a worker on these files fail, every third of them, for a while."""
    with failing(server.workers()[0], calls, f"error={error}:when=1+3", files) as failed:
        until(lambda: failed() >= faults(1))


@contextmanager
def stopped_holder(server: Server) -> Iterator[None]:
    """Stop a worker in the middle of a turn at the journal."""
    inode = os.stat(f"{journal_path(server.data)}.lock").st_ino
    workers = server.workers()
    caught = 0

    def holder() -> int:
        # The lines of waiting processes contain an arrow.
        line = rf"^\d+: FLOCK +ADVISORY +WRITE (\d+) \S+:{inode} "
        found = re.search(line, Path("/proc/locks").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0

    def is_caught() -> bool:
        nonlocal caught
        if (victim := holder()) not in workers:
            return False
        os.kill(victim, signal.SIGSTOP)
        # A thread on another core runs on for a moment, and may release the lock.
        until(lambda: all("\nState:\tT" in path.read_text() for path in Path(f"/proc/{victim}/task").glob("*/status")))
        caught = victim if holder() == victim else 0
        if not caught:
            os.kill(victim, signal.SIGCONT)
        return bool(caught)

    try:
        until(is_caught, pause_s=0)
        yield
    finally:
        if caught:
            with suppress(ProcessLookupError):
                os.kill(caught, signal.SIGCONT)
