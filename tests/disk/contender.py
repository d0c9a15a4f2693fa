"""A process that takes a ``HotLock``: ``python -m tests.disk.contender hold PATH`` or ``… race PATH TURNS``."""

import sys
import time
from pathlib import Path

from payments.disk.lock import HotLock


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hold(path: Path) -> None:
    """Take the lock, print that, and keep it until a line is read."""
    lock = HotLock(path)
    lock.acquire()
    say("held")
    sys.stdin.readline()
    lock.release()
    say("released")
    sys.stdin.readline()


def race(path: Path, turns: int) -> None:
    """After a line is read, count up the number in ``<path>.count`` to ``turns``; print this process's share."""
    lock, count = HotLock(path), path.with_suffix(".count")
    say("ready")
    sys.stdin.readline()
    served = 0
    while True:
        lock.acquire()
        number = int(count.read_text())
        if number >= turns:
            break
        time.sleep(0.0005)
        count.write_text(str(number + 1))
        served += 1
        lock.release()
        # Taking it again at once could beat waiters that are just waking up; a store answers first.
        time.sleep(0.0005)
    lock.release()
    say(str(served))


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(Path(sys.argv[2]))
    else:
        race(Path(sys.argv[2]), int(sys.argv[3]))
