"""A reporter that is killed, or whose machine loses power, at any moment of its first or second run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.edge.crashing import CrashHistory, Step, left, recorded

SIZE = float(os.environ.get("PAYMENTS_TEST_EXAMPLES") or 1)
KILLS = round(200 * SIZE)
STATES = round(1000 * SIZE)


def lay(folder: Path, files: dict[str, bytes]) -> None:
    """Write the remaining files to ``folder``."""
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def told(log: list[Step]) -> list[bytes]:
    return [each for each in log if isinstance(each, bytes)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """A run that is not killed."""
    folder = tmp_path_factory.mktemp("recorded") / "spool"
    folder.mkdir(mode=0o700)
    found = recorded(folder)
    assert left(found) == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(found) > 500
    return found


@pytest.mark.parametrize("loses_power", [False, True], ids=["killed", "without power"])
def test_ended_anywhere_it_loses_nothing_that_was_synced_and_bills_no_moment_twice(
    tmp_path: Path, log: list[Step], loses_power: bool
) -> None:
    for number in range(STATES + 1):
        end = len(log) * number // STATES
        lay(tmp_path / f"{number}", left(log[:end], Random(number) if loses_power else None))
        story = CrashHistory(told(log[:end]))
        story.live_on(tmp_path / f"{number}")
        story.check()


def test_what_is_said_to_be_safe_after_a_sync_that_failed_outlives_a_loss_of_power(tmp_path: Path) -> None:
    """After a failed sync, the system shows data that it never writes."""
    for first in range(20, 60, 8):
        folder = tmp_path / f"{first}"
        folder.mkdir(mode=0o700)
        found = recorded(folder, faults=[f"fdatasync:error=EIO:when={first}..{first + first % 3}"])
        for end in range(0, len(found), 10):
            lay(tmp_path / f"{first}-{end}", left(found[:end], Random(end)))
            story = CrashHistory(told(found[:end]))
            story.live_on(tmp_path / f"{first}-{end}")
            story.check()


def test_ended_again_while_it_comes_back_is_no_different(tmp_path: Path, log: list[Step]) -> None:
    for number in range(1, 6):
        before = log[: len(log) * number // 6]
        lay(tmp_path / f"{number}", left(before, Random(number)))
        again = recorded(tmp_path / f"{number}", 2, CrashHistory(told(before)).now_ms + 10_000)
        begun = next(index for index, each in enumerate(again) if isinstance(each, bytes))
        for end in range(begun, begun + 100, 2):
            lay(tmp_path / f"{number}-{end}", left(again[:end], Random(end)))
            story = CrashHistory([*told(before), *told(again[:end])])
            story.live_on(tmp_path / f"{number}-{end}")
            story.check()


@pytest.fixture
def lives() -> Iterator[subprocess.Popen[bytes]]:
    """The process whose children are killed."""
    command = [sys.executable, "-m", "tests.edge.crashing"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_killed_at_random_moments_it_loses_nothing_that_was_synced(
    tmp_path: Path, lives: subprocess.Popen[bytes]
) -> None:
    assert lives.stdin is not None
    assert lives.stdout is not None
    for number in range(KILLS):
        chance, story = Random(), CrashHistory()
        folder = tmp_path / f"{number}"
        lives.stdin.write(f"{folder} {number} {story.now_ms}\n".encode())
        lives.stdin.flush()
        lines, delay = chance.randint(1, 110), chance.randint(0, 30_000)
        for count, line in enumerate(lives.stdout):
            if b'"dead"' in line:
                break
            story.hear(line)
            if count == lines:
                for _ in range(delay):
                    pass
                os.kill(story.pid, signal.SIGKILL)
        story.live_on(folder)
        story.check()
