"""``FileLease``: a lock file for a role, and a status file that other processes read, both beside the journal.

No money depends on either.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payments.disk import Disk, replace_file
from payments.disk.lock import HotLock
from payments.domain.entries import JSON
from payments.strictjson import read_strictly


class FileLease:
    """A ``Lease``: its holder locks ``<journal>.<name>.lock`` and writes ``<journal>.<name>.json``."""

    def __init__(self, disk: Disk, journal_path: Path, name: str) -> None:
        """Raises ``OSError``."""
        self._disk = disk
        self._path = status_path(journal_path, name)
        disk.make_folder(journal_path.parent)
        self._lock = HotLock(journal_path.with_name(f"{journal_path.name}.{name}.lock"))
        self._has_it = False

    def try_acquire(self) -> bool:
        self._has_it = self._has_it or self._lock.acquire_now()
        return self._has_it

    def publish(self, status: Mapping[str, JSON]) -> None:
        replace_file(self._disk, self._path, [json.dumps(status, indent=1).encode() + b"\n"])

    def close(self) -> None:
        self._lock.close()


def read_status(journal_path: Path, name: str) -> Any:
    """The status last published; ``None`` if there is none or it cannot be read."""
    try:
        return read_strictly(status_path(journal_path, name).read_bytes())
    except (OSError, ValueError):
        return None


def status_path(journal_path: Path, name: str) -> Path:
    """The file in which the status of the role ``name`` is published."""
    return journal_path.with_name(f"{journal_path.name}.{name}.json")
