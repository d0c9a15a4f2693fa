"""Backup, which works while everything runs, and restore, which requires that nothing runs. Both verify the copy.

A backup is a data folder: copies of the journal's files, the documents beside it and, written last, ``backup.json``
with the names of the files and the number of entries. A folder without ``backup.json`` is an unfinished copy.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import orjson

from payments.clock import now_ms
from payments.disk import Disk, replace_file, write_file
from payments.disk.lock import LockTimeout, hold_folder
from payments.domain.times import format_time
from payments.errors import Corrupt, Misconfigured, Unavailable
from payments.store.file import halt
from payments.store.file.scan import journal_files
from payments.store.file.segments import journal_paths
from payments.store.file.snapshot import Paths
from payments.store.file.verify import verify
from payments.store.protocol import Restored, Verified

_FORMAT, _MANIFEST = 1, "backup.json"
# The default names in a data folder, so that every command can read a backup by setting PAYMENTS_DATA_DIR.
_JOURNAL, _PROJECTIONS = "audit/ledger-events.log", ("sessions.json", "balances.json", "power_meter.json")
_PART = re.compile(rf"{re.escape(_JOURNAL)}(\.[0-9]{{20}}(\.gz)?)?")
_CHUNK = 1 << 20


class FileBackup:
    """The journal as it was when this was opened, and the documents beside it. The caller closes it."""

    def __init__(self, disk: Disk, journal_path: Path, documents: Mapping[str, Path]) -> None:
        """``documents``: by their names in the backup. Raises ``Misconfigured`` and ``Corrupt``."""
        self._disk = disk
        self._files: dict[str, tuple[int, int]] = {}
        try:
            for file in journal_files(disk, journal_path):
                name = _JOURNAL + file.segment.path.name.removeprefix(journal_path.name)
                descriptor = file.segment.descriptor
                self._files[name] = descriptor, file.end if file.first_seq is None else disk.size(descriptor)
            # Documents last, so that they include every orchestrator that the journal mentions.
            for name, path in documents.items():
                with suppress(FileNotFoundError):
                    self._files[name] = _open(disk, path)
        except OSError as error:
            raise Misconfigured(
                f"PAY-O08 {error.filename or journal_path}: cannot be read ({error.strerror}); name the journal by "
                f"PAYMENTS_DATA_DIR or PAYMENTS_LEDGER_JOURNAL_PATH, and run this as a user that may read it"
            ) from error

    def write(self, folder: Path) -> Verified:
        """Write a verified backup into ``folder``, which must not exist yet; on disk when this returns.

        Raises ``Unavailable``, and ``Corrupt`` if the journal is damaged; the unfinished copy then stays.
        """
        try:
            folder.mkdir(mode=0o700)
            try:
                return self._fill(folder)
            except Corrupt as fault:
                raise Corrupt(
                    f"PAY-J16 {fault}. What could be copied is in {folder}, and cannot be restored"
                ) from fault
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        except OSError as error:
            raise Unavailable(f"PAY-D07 {folder}: no backup can be written there ({error.strerror})") from error

    def close(self) -> None:
        """Let go of the files."""
        _close(self._disk, self._files)

    def _fill(self, folder: Path) -> Verified:
        _copy(self._disk, self._files, folder)
        verified = _verify(self._disk, folder)
        manifest = {"format": _FORMAT, "entries": verified.entries, "files": list(self._files)}
        replace_file(self._disk, folder / _MANIFEST, [orjson.dumps(manifest, option=orjson.OPT_INDENT_2)])
        self._disk.sync_folder(folder.parent)
        return verified


class FileRestoration:
    """An open backup to restore. The caller closes it."""

    def __init__(
        self, disk: Disk, folder: Path, documents: Mapping[str, Path], journal_path: Path, projections: Paths
    ) -> None:
        """The backup in ``folder``; ``documents`` as for ``FileBackup``. Raises ``Misconfigured``."""
        self._disk = disk
        self._journal_path = journal_path
        self._projections = projections
        self._documents = documents
        self._files: dict[str, tuple[int, int]] = {}
        try:
            self._files[_MANIFEST] = _open(disk, folder / _MANIFEST)
            manifest = orjson.loads(b"".join(_parts(disk, self._files[_MANIFEST])))
            self._entries = manifest["entries"]
            if manifest["format"] != _FORMAT:
                raise ValueError(f"its format is not {_FORMAT}")
            for name in manifest["files"]:
                # Refuse names that no backup has, such as ../x.
                if name not in documents and not _PART.fullmatch(name):
                    raise ValueError(f"no backup has a file {name}")
                self._files[name] = _open(disk, folder / name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Misconfigured(
                f"PAY-J14 {folder}: payments backup has not made this, or has not finished it ({error})"
            ) from error

    def run(self) -> Restored:
        """Copy the backup, verify the copy, then move the current files aside and put the copy in their place.

        Raises ``Corrupt``, and ``Unavailable``, among others if any process has the journal open.
        """
        journal_path = self._journal_path
        folder, staging = journal_path.parent, journal_path.with_name(f"{journal_path.name}.restoring")
        try:
            self._disk.make_folder(folder)
            use = hold_folder(folder, 0, alone=True)
            try:
                # Left over from a run that was killed.
                shutil.rmtree(staging, ignore_errors=True)
                parts = {name: file for name, file in self._files.items() if _PART.fullmatch(name)}
                _copy(self._disk, parts, staging)
                verified = _verify(self._disk, staging)
                if verified.entries != self._entries:
                    raise Corrupt(
                        f"PAY-J15 {verified.entries} entries are in the backup, and {self._entries} were put into it"
                    )
                return Restored(verified, self._exchange(staging, list(parts)))
            finally:
                shutil.rmtree(staging, ignore_errors=True)
                os.close(use)
        except LockTimeout as error:
            raise Unavailable(
                f"PAY-D08 {error} is in use; stop the API, all workers and payments commands first"
            ) from error
        except OSError as error:
            raise Unavailable(
                f"PAY-D09 {journal_path}: cannot be restored ({error.strerror}); run this again"
            ) from error

    def close(self) -> None:
        """Let go of the files."""
        _close(self._disk, self._files)

    def _exchange(self, staging: Path, names: list[str]) -> list[Path]:
        """Exchange the files; returns the folders with the previous ones.

        If this is interrupted, the next run completes it. Until then no start succeeds: the projections, which stay in
        place until the new journal is complete, do not fit it.
        """
        journal_path = self._journal_path
        aside = f"before-{format_time(now_ms()).replace(':', '').replace('-', '')}"
        folders = self._set_aside(aside, [*journal_paths(journal_path), halt.mark_path(journal_path)])
        for name in names:
            target = journal_path.with_name(journal_path.name + name.removeprefix(_JOURNAL))
            self._disk.replace(staging / name, target)
        self._disk.sync_folder(journal_path.parent)
        folders += self._set_aside(aside, [*self._projections, *self._documents.values()])
        for name, path in self._documents.items():
            if name in self._files:
                self._disk.make_folder(path.parent)
                new = path.with_name(f"{path.name}.new")
                _write(self._disk, new, self._files[name])
                self._disk.replace(new, path)
                self._disk.sync_folder(path.parent)
        return sorted(set(folders))

    def _set_aside(self, aside: str, paths: Iterable[Path]) -> list[Path]:
        """Move the existing ones of ``paths`` into a folder ``aside`` beside each; returns these folders."""
        existing = [path for path in paths if os.path.lexists(path)]
        for path in existing:
            self._disk.make_folder(path.parent / aside)
            self._disk.replace(path, path.parent / aside / path.name)
            self._disk.sync_folder(path.parent / aside)
        return [path.parent / aside for path in existing]


def _open(disk: Disk, path: Path) -> tuple[int, int]:
    """A descriptor, and the size in bytes."""
    descriptor = disk.open(path, os.O_RDONLY)
    return descriptor, disk.size(descriptor)


def _close(disk: Disk, files: dict[str, tuple[int, int]]) -> None:
    while files:
        disk.close(files.popitem()[1][0])


def _parts(disk: Disk, file: tuple[int, int]) -> Iterator[bytes]:
    descriptor, size = file
    return (disk.read(descriptor, min(_CHUNK, size - offset), offset) for offset in range(0, size, _CHUNK))


def _write(disk: Disk, path: Path, file: tuple[int, int]) -> None:
    """Copy ``file`` to the new file ``path``, with its times, which the registry uses as default dates."""
    write_file(disk, path, _parts(disk, file))
    copied = os.fstat(file[0])
    os.utime(path, ns=(copied.st_atime_ns, copied.st_mtime_ns))


def _copy(disk: Disk, files: Mapping[str, tuple[int, int]], folder: Path) -> None:
    """Copy ``files`` into ``folder``; on disk when this returns."""
    disk.make_folder((folder / _JOURNAL).parent)
    for name, file in files.items():
        _write(disk, folder / name, file)
        if name.startswith(f"{_JOURNAL}."):
            # Sealed segments are read-only.
            (folder / name).chmod(0o400)
    disk.sync_folder((folder / _JOURNAL).parent)
    disk.sync_folder(folder)


def _verify(disk: Disk, folder: Path) -> Verified:
    return verify(disk, folder / _JOURNAL, Paths(*(folder / name for name in _PROJECTIONS)))
