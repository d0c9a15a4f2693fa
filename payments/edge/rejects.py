"""``rejects.jsonl``: what will never be delivered, and why; for a person to read.

A line is a JSON object: ``rejected_at``, ``reason``, and ``event``, or ``line`` where the spool had something that is
no event. Past a size the file is called ``rejects.jsonl.1``, in place of the one before. One thread at a time (the
caller's care).
"""

import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from payments.disk import Disk
from payments.disk.operations import write_all
from payments.domain.times import format_time

_WAITING = 1000
_MOST_LINE_BYTES = 4096


class Reject(NamedTuple):
    """One thing that is not delivered. ``event``: the JSON of an event, or ``None`` where ``line`` is none."""

    reason: str
    event: bytes | None = None
    line: bytes = b""


class Rejects:
    """The file. What waits to be written is in memory, the last 1,000 of it."""

    def __init__(self, disk: Disk, path: Path, most_bytes: int) -> None:
        """``most_bytes``: of both files together."""
        self._disk = disk
        self._path = path
        self._most_bytes = most_bytes
        self._waiting: deque[bytes] = deque(maxlen=_WAITING)

    def add(self, rejects: Sequence[Reject], now_ms: int) -> None:
        """Have ``rejects`` written by the next ``write``."""
        self._waiting.extend(_line(reject, now_ms) for reject in rejects)

    def write(self) -> None:
        """Write what waits, durably. Raises ``OSError``; then it waits on."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        status = self._disk.status(self._path)
        if status is not None and 0 < status.st_size > self._most_bytes // 2 - len(data):
            self._disk.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
        descriptor = self._disk.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            size_bytes = self._disk.size(descriptor)
            try:
                write_all(self._disk, descriptor, data)
            except OSError:
                self._disk.truncate(descriptor, size_bytes)
                raise
            self._disk.sync(descriptor)
        finally:
            self._disk.close(descriptor)
        self._waiting.clear()
        self._disk.sync_folder(self._path.parent)


def _line(reject: Reject, now_ms: int) -> bytes:
    said: dict[str, object] = {"rejected_at": format_time(now_ms), "reason": reject.reason}
    if reject.event is None:
        said["line"] = reject.line[:_MOST_LINE_BYTES].decode("utf-8", "backslashreplace")
    else:
        said["event"] = orjson.Fragment(reject.event)
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
