"""Which worker is at work, and how it fares: what the worker leaves beside the journal for others to see.

``<journal>.worker.lock`` is held by the one worker that is on duty; ``<journal>.worker.json`` is what it last reported.
Neither carries money: two workers on duty would only ask every host twice. May import ``payments.disk`` and
``payments.strictjson``. Not here: what the worker does.
"""

import json
from pathlib import Path
from typing import NamedTuple

from payments.disk import Disk, replace_file
from payments.disk.lock import HotLock
from payments.strictjson import read_strictly


class SweepReport(NamedTuple):
    """What one sweep found.

    Attributes:
        at_ms: when it had ended, and ``seconds``, how long it took.
        asked: orchestrators that were asked; each is one of ``awake``, ``asleep`` (another word) and ``unknown``.
        left_out: for whom there was no time.
        credited_eth: what all of it earned, a decimal string.
    """

    at_ms: int
    seconds: float
    asked: int
    awake: int
    asleep: int
    unknown: int
    left_out: int
    credited_eth: str


class Report(NamedTuple):
    """How the worker on duty fares.

    Attributes:
        at_ms: when it said so; ``due_ms``: when at the latest it will again, if it is well.
        sweep: its last one; ``None`` before the first, and without the power meter.
    """

    pid: int
    at_ms: int
    due_ms: int
    sweep: SweepReport | None


class Duty:
    """One worker's claim to be the one on duty. Of its methods one is called at a time (the caller's care)."""

    def __init__(self, journal_path: Path, disk: Disk | None = None) -> None:
        """Raises ``OSError``."""
        self._disk = disk or Disk()
        self._path = _report_path(journal_path)
        self._disk.make_folder(journal_path.parent)
        self._lock = HotLock(journal_path.with_name(f"{journal_path.name}.worker.lock"))
        self._has_it = False

    def take(self) -> bool:
        """Whether this worker is on duty; it stays so until it ends."""
        self._has_it = self._has_it or self._lock.acquire_now()
        return self._has_it

    def report(self, report: Report) -> None:
        """Tell others. Raises ``OSError``."""
        document = {**report._asdict(), "sweep": report.sweep and report.sweep._asdict()}
        replace_file(self._disk, self._path, [json.dumps(document, indent=1).encode() + b"\n"])

    def close(self) -> None:
        """Let another worker have it."""
        self._lock.close()


def read_report(journal_path: Path) -> Report | None:
    """What the worker on duty last reported; ``None`` where none ever did, or nothing that can be read."""
    try:
        document = read_strictly(_report_path(journal_path).read_bytes())
        sweep = document["sweep"]
        report = Report(**{**document, "sweep": None if sweep is None else SweepReport(**sweep)})
        numbers = (report.pid, report.at_ms, report.due_ms, *(report.sweep or ())[:-1])
        return report if all(type(number) in (int, float) for number in numbers) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _report_path(journal_path: Path) -> Path:
    return journal_path.with_name(f"{journal_path.name}.worker.json")
