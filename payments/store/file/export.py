"""Reads the whole journal, oldest entry first, for export to other programs, while everything else goes on.

It takes the lock only to see where the journal ends, and needs little memory however long the journal is. It checks
each line's checksum and ``seq``, but not the chain and the sums, which ``verify`` checks. It parses only the exported
part of each line.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from payments.disk import Disk
from payments.errors import Corrupt, Misconfigured, Unavailable
from payments.store.file import halt, snapshot
from payments.store.file.codec import BadLine, Position, UnknownVersion, has_valid_checksum, parse, subject_at
from payments.store.file.lines import BadTail, damaged, place
from payments.store.file.reader import line_filter
from payments.store.file.scan import journal_files, line_chunks
from payments.store.file.snapshot import Paths
from payments.store.protocol import EntryQuery

# Quotation marks within a JSON string are escaped, so no string can contain these.
_REST, _MONEY = b',"v":1,"durable":', b',"delta":"'


class Export:
    """The journal as it was when this was opened, without later entries."""

    def __init__(self, disk: Disk, journal_path: Path, projections: Paths) -> None:
        """Raises ``Misconfigured`` if there is no readable journal, ``Unavailable`` and ``Corrupt``."""
        # Projections first: they must not show entries recorded after the journal's files are listed.
        self._shown = snapshot.shown_positions(projections)
        mark = halt.mark_path(journal_path)
        if disk.exists(str(mark)):
            raise Unavailable(
                f"PAY-D02 {mark} exists: a sync failed, and what was written last may be lost; restart first"
            )
        try:
            self._files = journal_files(disk, journal_path)
            _sync(disk, journal_path)
        except OSError as error:
            raise Misconfigured(
                f"PAY-O08 {error.filename or journal_path}: cannot be read ({error.strerror}); name the journal by "
                f"PAYMENTS_DATA_DIR or PAYMENTS_LEDGER_JOURNAL_PATH, and run this as a user that may read it"
            ) from error

    def records(self, query: EntryQuery, *, money_only: bool) -> Iterator[Mapping[str, Any]]:
        """The matching entries as ``entry_record`` makes them. May be called only once.

        Raises ``Unavailable``, and ``Corrupt`` with file and line.
        """
        may_match = line_filter(query)
        for line in self._lines():
            if may_match(line) and not (money_only and _MONEY not in line):
                record = orjson.loads(line[: _shown_bytes(line)] + b"}")
                # The line filter may have matched the session part of the line, which is not exported.
                if query.orchestrator_id in (None, record["orchestrator_id"]) and query.session_id in (
                    None, record["metadata"].get("session_id"),
                ):  # fmt: skip
                    yield record

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.pop().segment.close()

    def _lines(self) -> Iterator[bytes]:
        """Every line, with checksum and ``seq`` checked."""
        seq = 0
        while self._files:
            file = self._files.pop(0)
            begin = seq + 1
            try:
                if file.first_seq not in (None, begin):
                    raise Corrupt(f"PAY-J09 {file.segment.path}: the segment before it, with seq {begin}, is missing")
                for offset, lines in line_chunks(file):
                    for index, line in enumerate(lines):
                        seq += 1
                        if not _is_sound(line, seq):
                            before = sum(len(each) for each in lines[:index])
                            raise _fault(file.segment.path, line, Position(seq - 1, offset + before, "", begin))
                        yield line
            except OSError as error:
                raise Unavailable(f"PAY-D04 {file.segment.path}: cannot be read ({error.strerror})") from error
            finally:
                # Close at once, to free the memory of a compressed segment.
                file.segment.close()
        for path, position in self._shown.items():
            if position.seq > seq:
                raise Corrupt(f"PAY-J12 {path} shows entry {position.seq}, which the journal does not have")


def _sync(disk: Disk, journal_path: Path) -> None:
    """Sync the active file, so that no line is exported that a crash could undo."""
    try:
        descriptor = disk.open(journal_path, os.O_RDONLY)
    except FileNotFoundError:
        # It has just been sealed, and was synced before that.
        return
    try:
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)


def _is_sound(line: bytes, seq: int) -> bool:
    return line.startswith(b'{"seq":%d,' % seq) and has_valid_checksum(line) and _REST in line


def _shown_bytes(line: bytes) -> int:
    """How many bytes of ``line`` are exported: those before the session or power state."""
    at = subject_at(line)
    return at if at >= 0 else line.index(_REST)


def _fault(path: Path, line: bytes, position: Position) -> Corrupt:
    try:
        seq = parse(line).seq
        why = f"it has seq {seq} where {position.seq + 1} must stand"
    except BadLine as error:
        why = str(error)
    except UnknownVersion as error:
        return Corrupt(f"{place(path, position)}: {error}")
    return damaged(path, BadTail(position, why))
