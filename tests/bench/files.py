"""The file engine without HTTP: start-up time, sharing between processes, cost of projections."""

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from payments.domain.sessions import HEARTBEAT
from tests.disk.scripted import HastyDisk
from tests.harness import NOON_MS, ROOT, event, file_store

PROCESSES = 4
_GROUP = 5_000


class Opening(NamedTuple):
    """Time until a process has loaded a journal's state, with the interpreter's own start."""

    with_snapshot_s: float
    without_s: float


def opening(folder: Path, entries: int, sessions: int) -> Opening:
    """Open a journal of ``entries`` entries about ``sessions`` sessions."""
    store = file_store(folder, disk=HastyDisk())
    for first in range(0, entries, _GROUP):
        numbers = range(first, min(first + _GROUP, entries))
        store.execute([event(f"s-{number % sessions}", HEARTBEAT, NOON_MS + number) for number in numbers])
    store.close()
    with_snapshot_s = _seconds_to_open(folder)
    for projection in ("sessions.json", "balances.json"):
        (folder / projection).unlink()
    return Opening(with_snapshot_s, _seconds_to_open(folder))


def fairness(folder: Path, seconds: float) -> float:
    """Ratio of commands between the most and the least served of ``PROCESSES`` processes."""
    begin_s = time.time() + 2
    processes = [_process("share", folder, begin_s, seconds) for _ in range(PROCESSES)]
    counts = [int(process.communicate()[0]) for process in processes]
    return max(counts) / max(1, min(counts))


def projections_share(folder: Path, seconds: float) -> float:
    """Share of a processor that a busy process spends on writing the projections in ``folder``."""
    return float(_process("project", folder, time.time(), seconds).communicate()[0])


def _seconds_to_open(folder: Path) -> float:
    begun_s = time.monotonic()
    process = _process("open", folder)
    process.communicate()
    assert process.returncode == 0
    return time.monotonic() - begun_s


def _process(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.process", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
