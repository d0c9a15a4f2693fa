"""``FileEngine``: whether the files of a ledger exist and are usable, and how to open them."""

import os
import pwd
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from payments.disk import Disk
from payments.disk.obstacles import access_problems
from payments.errors import Misconfigured
from payments.store.file.backup import FileBackup, FileRestoration
from payments.store.file.export import Export
from payments.store.file.lease import FileLease, read_status
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore
from payments.store.file.verify import verify
from payments.store.protocol import Clock, EntryQuery, Observer, TermsSource, Verified, unobserved


class FileEngine:
    """An ``Engine`` on a local file system."""

    def __init__(self, journal_path: Path, projections: Paths, credit_unit: str, segment_bytes: int) -> None:
        self._disk = Disk()
        self._journal_path = journal_path
        self._projections = projections
        self._credit_unit = credit_unit
        self._segment_bytes = segment_bytes

    def __str__(self) -> str:
        return str(self._journal_path)

    def exists(self) -> bool:
        return self._journal_path.exists()

    def obstacles(self) -> list[str]:
        return [
            f"PAY-C07 {at}: cannot be used ({why}); let the user that runs Payments read and write it, or set "
            "PAYMENTS_DATA_DIR"
            for at, why in access_problems(self._journal_path)
        ]

    def warnings(self) -> list[str]:
        return [
            f"PAY-D10 {path} cannot be brought up to date: {at}: {why}"
            for path in self._projections
            for at, why in access_problems(path)
        ]

    def check_user(self) -> None:
        folders = (self._journal_path, *self._journal_path.parents[:2])
        place = next((each for each in folders if each.exists()), None)
        if place is None or os.geteuid() != 0 or (owner := place.stat().st_uid) == 0:
            return
        try:
            user = pwd.getpwuid(owner).pw_name
        except KeyError:
            user = f"#{owner}"
        raise Misconfigured(
            f"PAY-C05 {place} belongs to {user}, who could not read what root makes beside it; run this as that user: "
            f"sudo -u '{user}' payments ..."
        )

    def folder(self) -> Path | None:
        return self._journal_path.parent

    def uses(self, path: Path) -> bool:
        return path.resolve() in {each.resolve() for each in (self._journal_path, *self._projections)}

    def free_bytes(self) -> int | None:
        try:
            return shutil.disk_usage(self._journal_path.parent).free
        except OSError:
            return None

    def open(self, terms: TermsSource, clock: Clock, observe: Observer = unobserved) -> FileStore:
        return FileStore(
            self._journal_path,
            self._projections,
            terms,
            clock,
            credit_unit=self._credit_unit,
            segment_bytes=self._segment_bytes,
            observe=observe,
        )

    @contextmanager
    def export(self, query: EntryQuery, *, money_only: bool) -> Iterator[Iterator[Mapping[str, Any]]]:
        with closing(Export(self._disk, self._journal_path, self._projections)) as journal:
            yield journal.records(query, money_only=money_only)

    def verify(self) -> Verified:
        return verify(self._disk, self._journal_path, self._projections)

    def backup(self, documents: Mapping[str, Path]) -> FileBackup:
        return FileBackup(self._disk, self._journal_path, documents)

    def restoration(self, folder: Path, documents: Mapping[str, Path]) -> FileRestoration:
        return FileRestoration(self._disk, folder, documents, self._journal_path, self._projections)

    def lease(self, name: str) -> FileLease:
        try:
            return FileLease(self._disk, self._journal_path, name)
        except OSError as error:
            raise Misconfigured(
                f"PAY-C07 {error.filename}: cannot be used ({error.strerror}); let the user that runs the worker "
                "write it"
            ) from error

    def published(self, name: str) -> Any:
        return read_status(self._journal_path, name)
