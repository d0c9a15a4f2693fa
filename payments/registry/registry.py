"""The records in force: read from ``registry.json`` whenever it changes, and changed in it."""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from payments.disk import Disk, replace_file
from payments.disk.lock import LockTimeout, brief_lock
from payments.errors import Corrupt, Misconfigured, Rejected, Unavailable
from payments.registry.document import host_conflict, read_document, write_document
from payments.registry.records import Record

log = logging.getLogger(__name__)

_LOCK_TIMEOUT_S = 5.0


class Registry:
    """The orchestrators that Payments knows (rule 5.7). Threads and processes may share the file.

    ``registry.json.good`` beside it keeps the last valid content, so that records stay in force even if a restart finds
    ``registry.json`` broken by an edit.

    Attributes:
        problem: what is wrong with the file now; ``None`` while it is valid.
    """

    def __init__(self, path: Path, clock: Callable[[], int], disk: Disk | None = None) -> None:
        """Raises ``Corrupt`` if neither the file nor its good copy is valid, ``Misconfigured`` without access."""
        self._path = path
        self._name = str(path)
        self._good_path = good_path(path)
        self._clock = clock
        self._disk = disk or Disk()
        self._reading = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._records: Mapping[str, Record] = {}
        self._attribution: Mapping[str, str] = {}
        self.problem: str | None = None
        try:
            self._disk.make_folder(path.parent)
            self._start()
        except OSError as error:
            raise Misconfigured(
                f"PAY-C07 {error.filename or path}: cannot be used ({error.strerror}); let the user that runs Payments "
                f"read and write it, or set PAYMENTS_REGISTRY_PATH"
            ) from error

    def records(self) -> Mapping[str, Record]:
        """All records by id, in the order of their registration."""
        self._refresh()
        return self._records

    def attribution(self) -> Mapping[str, str]:
        """Orchestrator id by ``host_public_ip``, of the enabled ones."""
        self._refresh()
        return self._attribution

    def register(self, values: Mapping[str, Any]) -> tuple[Record, bool]:
        """Create or refresh the record of ``values["orchestrator_id"]``; fields that are not given stay as they are.

        ``values`` are what ``RecordSchema`` loaded. Returns the record and whether it is new. Raises ``Rejected``
        (``conflict``: another record has that ``host_public_ip``) and ``Unavailable``.
        """
        return self._change(values["orchestrator_id"], values, create=True)

    def change(self, orchestrator_id: str, values: Mapping[str, Any]) -> Record:
        """Change fields of a record. As ``register``, and ``Rejected`` (``not-found``) if there is none."""
        return self._change(orchestrator_id, values, create=False)[0]

    def _change(self, orchestrator_id: str, values: Mapping[str, Any], *, create: bool) -> tuple[Record, bool]:
        try:
            with brief_lock(self._lock_path, _LOCK_TIMEOUT_S):
                self._refresh()
                if self.problem is not None:
                    raise Unavailable(
                        f"PAY-R01 {self.problem}; fix the file first, it is not overwritten", retry_after_s=60
                    )
                known = self._records.get(orchestrator_id)
                if known is None and not create:
                    raise Rejected("not-found", f'no orchestrator "{orchestrator_id}" is registered')
                record = self._merged(orchestrator_id, known, values)
                if record != known:
                    self._write({**self._records, orchestrator_id: record})
                return record, known is None
        except LockTimeout as error:
            raise Unavailable(f"PAY-D05 {error} is held by another process for too long") from error
        except OSError as error:
            raise Unavailable(f"PAY-D04 {self._path}: cannot be written ({error.strerror})", retry_after_s=5) from error

    def _merged(self, orchestrator_id: str, known: Record | None, values: Mapping[str, Any]) -> Record:
        now_ms = self._clock()
        base = known or Record(orchestrator_id, None, None, None, None, True, now_ms, now_ms)
        record = base._replace(**values)
        host = record.host_public_ip
        for other in self._records.values():
            if host is not None and other.host_public_ip == host and other.orchestrator_id != orchestrator_id:
                complaint = host_conflict(host, other.orchestrator_id)
                raise Rejected("conflict", complaint, {"host_public_ip": [complaint]})
        return record if record == known else record._replace(updated_at_ms=now_ms)

    def _write(self, records: Mapping[str, Record]) -> None:
        replace_file(self._disk, self._path, [write_document(records)])
        # Read the file again: an operator may have saved an edit a moment later.
        self._refresh()

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.lock")

    def _start(self) -> None:
        if self._path.exists():
            self._refresh()
        elif self._good_path.exists():
            self._seen = ()
            self._report_problem(f"is missing; restore it, or remove {self._good_path} too to begin without records")
        if self.problem is None:
            return
        try:
            _read(self._good_path)
        except (OSError, ValueError):
            raise Corrupt(
                f"PAY-R01 {self.problem}; fix the file, or restore it from a backup, and start again"
            ) from None

    def _refresh(self) -> None:
        """Put the file in force if it changed and is valid; if it is invalid, report that once and keep the records."""
        if self._signature() == self._seen:
            return
        with self._reading:
            signature = self._signature()
            if signature == self._seen:
                return
            data = self._read_anew()
            # Set last, so that other threads wait for the new records instead of using the old ones.
            self._seen = signature
        if data is not None:
            self._save_good_copy(data)

    def _read_anew(self) -> bytes | None:
        """Read the file and put it in force; its content, or ``None`` if it is invalid."""
        try:
            data, records = _read(self._path)
        except OSError as error:
            self._report_problem(f"cannot be read ({error.strerror})")
            return None
        except ValueError as error:
            self._report_problem(str(error))
            return None
        if self.problem is not None:
            log.info("%s is sound again", self._path)
        self.problem = None
        self._put_in_force(records)
        return data

    def _signature(self) -> tuple[int, ...] | None:
        try:
            status = os.stat(self._name)
        except OSError:
            return None if self._seen is None else ()
        return (status.st_mtime_ns, status.st_size, status.st_ino)

    def _put_in_force(self, records: Mapping[str, Record]) -> None:
        self._records = records
        self._attribution = {
            record.host_public_ip: record.orchestrator_id
            for record in records.values()
            if record.enabled and record.host_public_ip is not None
        }

    def _report_problem(self, why: str) -> None:
        # The message may quote text from the file that a log or an answer cannot carry.
        self.problem = f"{self._path}: {why}".encode(errors="backslashreplace").decode()
        log.error("PAY-R01 %s; the last good records stay in force", self.problem)
        # Another process may have read a newer valid content than this one.
        with suppress(OSError, ValueError):
            self._put_in_force(_read(self._good_path)[1])

    def _save_good_copy(self, data: bytes) -> None:
        """Save ``data`` as the last valid content. Failures are logged and do not fail the caller."""
        try:
            if self._good_path.exists() and self._good_path.read_bytes() == data:
                return
            with brief_lock(self._good_path.with_name(f"{self._good_path.name}.lock"), _LOCK_TIMEOUT_S):
                replace_file(self._disk, self._good_path, [data])
        except (OSError, LockTimeout) as error:
            log.warning("PAY-D11 %s cannot be kept up to date: %s", self._good_path, error)


def good_path(path: Path) -> Path:
    """The file with the last valid content of the registry at ``path``."""
    return path.with_name(f"{path.name}.good")


def _read(path: Path) -> tuple[bytes, dict[str, Record]]:
    """Content and records of the file; times missing in a record default to the file's time of change."""
    changed_ms = path.stat().st_mtime_ns // 1_000_000
    data = path.read_bytes()
    return data, read_document(data, changed_ms)


def bootstrap(registry: Registry, path: Path, clock: Callable[[], int]) -> None:
    """Register the records in the JSON file at ``path``: a list, or an object like ``registry.json``.

    Existing records are left alone: they may have been changed since. Raises ``Misconfigured``.
    """
    try:
        wanted = read_document(path.read_bytes(), clock())
        for record in wanted.values():
            if record.orchestrator_id not in registry.records():
                registry.register({**record._asdict(), "registered_at_ms": clock()})
    except Unavailable as error:
        log.warning("PAY-R02 nothing is registered from %s: %s", path, error)
    except OSError as error:
        raise Misconfigured(
            f"PAY-C06 PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path} cannot be read ({error.strerror})"
        ) from None
    except (ValueError, Rejected) as error:
        raise Misconfigured(f"PAY-C06 PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path}: {error}") from None
