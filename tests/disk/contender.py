"""A process that takes a ``HotLock``: ``python -m tests.disk.contender hold PATH`` or ``… race PATH TURNS``."""

import sys
import time
from pathlib import Path

from payments.disk.lock import HotLock


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hold(path: Path) -> None:
    """Take the lock, say so, and keep it until a line comes in."""
    lock = HotLock(path)
    lock.acquire()
    say("held")
    sys.stdin.readline()
    lock.release()
    say("released")
    sys.stdin.readline()


def race(path: Path, turns: int) -> None:
    """Once a line comes in, count up the number in ``<path>.count`` until it is ``turns``; say how often it was us."""
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
        # Whoever wants it again at once may be quicker than the system wakes those who wait; a store answers first.
        time.sleep(0.0005)
    lock.release()
    say(str(served))


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(Path(sys.argv[2]))
    else:
        race(Path(sys.argv[2]), int(sys.argv[3]))
