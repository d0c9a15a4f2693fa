"""The lock between real processes: stopped, killed, and many at once."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
from filelock import FileLock, Timeout

from payments.disk.lock import HotLock, LockTimeout
from tests.harness import ROOT, until

SOON_S, LONG_S = 0.05, 30.0
RACERS, TURNS = 4, 1200

Process: TypeAlias = subprocess.Popen[str]
ENDINGS = pytest.mark.parametrize("ending", [signal.SIGCONT, signal.SIGKILL], ids=["goes on", "is killed"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.lock"


@pytest.fixture
def lock(path: Path) -> Iterator[HotLock]:
    """This process's."""
    lock = HotLock(path)
    yield lock
    lock.close()


@pytest.fixture
def contender() -> Iterator[Callable[..., Process]]:
    """Starts processes of ``contender.py``, waits for their first line, and stops them at the end."""
    with ExitStack() as ending:

        def start(*arguments: str | Path) -> Process:
            command = [sys.executable, "-m", "tests.disk.contender", *map(str, arguments)]
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            ending.enter_context(process)
            ending.callback(process.kill)
            assert hear(process) in ("held", "ready")
            return process

        yield start


@pytest.fixture
def stopped(contender: Callable[..., Process], path: Path) -> Process:
    """A stopped holder; it would release the lock if continued."""
    holder = contender("hold", path)
    holder.send_signal(signal.SIGSTOP)
    tell(holder)
    return holder


def check_kept(path: Path) -> None:
    """Assert that somebody has the lock."""
    with pytest.raises(Timeout):
        FileLock(path, timeout=0).acquire()


def tell(process: Process) -> None:
    """Let ``process`` take its next step."""
    assert process.stdin is not None
    process.stdin.write("\n")


def hear(process: Process) -> str:
    """The next line that ``process`` prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_holder_keeps_other_processes_out(contender: Callable[..., Process], lock: HotLock, path: Path) -> None:
    holder = contender("hold", path)
    with pytest.raises(LockTimeout):
        lock.acquire_within(SOON_S)
    with pytest.raises(Timeout):
        FileLock(path, timeout=0).acquire()
    tell(holder)
    lock.acquire_within(LONG_S)
    assert hear(holder) == "released"


def test_filelock_keeps_another_processs_hot_lock_out(contender: Callable[..., Process], path: Path) -> None:
    with FileLock(path):
        path.with_suffix(".count").write_text("0")
        racer = contender("race", path, "1")
        tell(racer)
        with pytest.raises(subprocess.TimeoutExpired):
            racer.wait(0.1)
        assert path.with_suffix(".count").read_text() == "0"
    assert hear(racer) == "1"


def test_a_killed_holder_frees_the_lock(contender: Callable[..., Process], lock: HotLock, path: Path) -> None:
    contender("hold", path).kill()
    lock.acquire_within(LONG_S)


@ENDINGS
def test_who_queues_up_behind_a_stopped_holder_is_served_once_it(
    ending: signal.Signals, stopped: Process, lock: HotLock, path: Path
) -> None:
    waiting = threading.Thread(target=lock.acquire, daemon=True)
    waiting.start()
    waiting.join(SOON_S)
    assert waiting.is_alive()
    stopped.send_signal(ending)
    waiting.join(LONG_S)
    assert not waiting.is_alive()
    check_kept(path)


@ENDINGS
def test_a_stopped_holder_costs_a_bounded_wait_until_it(
    ending: signal.Signals, stopped: Process, lock: HotLock, path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(LockTimeout):
            lock.acquire_within(SOON_S)
    stopped.send_signal(ending)
    lock.acquire_within(LONG_S)
    check_kept(path)


def queued(path: Path) -> int:
    """Number of waiters, by the system's list of locks."""
    inode = f":{path.stat().st_ino}"
    return sum(" -> FLOCK " in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_contending_processes_take_turns_one_at_a_time(
    contender: Callable[..., Process], lock: HotLock, path: Path
) -> None:
    """A counter that each turn reads and writes loses nothing, and nobody starves, as with filelock's polling."""
    path.with_suffix(".count").write_text("0")
    racers = [contender("race", path, str(TURNS)) for _ in range(RACERS)]
    # Start together: on a busy machine the first could finish before the last begins.
    lock.acquire()
    for racer in racers:
        tell(racer)
    until(lambda: queued(path) == RACERS)
    lock.release()
    served = [int(hear(racer)) for racer in racers]
    assert sum(served) == TURNS
    assert max(served) <= 5 * min(served)
