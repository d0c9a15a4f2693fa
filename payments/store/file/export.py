"""Reading the whole journal, oldest entry first, beside everything else: for what hands it on to other programs.

It asks for the lock only to see where the journal ends, and needs no memory to speak of, however long the journal. Each
line's checksum and ``seq`` are checked, the chain and the sums are not: that is what ``verify`` is for. Only what is
shown of a line is parsed.
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

# Neither can stand inside a JSON string, where each quotation mark has a backslash before it.
_REST, _MONEY = b',"v":1,"durable":', b',"delta":"'


class Export:
    """The journal as it was when this was opened: what is recorded later is not in it."""

    def __init__(self, disk: Disk, journal_path: Path, projections: Paths) -> None:
        """Raises ``Misconfigured`` where there is no journal to read, ``Unavailable`` and ``Corrupt``."""
        # First: what is recorded meanwhile must not be in them and not in the journal.
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
        """The entries that match, as ``entry_record`` shows them; to be asked for once.

        Raises ``Corrupt``, naming file and line, and ``Unavailable``.
        """
        may_match = line_filter(query)
        for line in self._lines():
            if may_match(line) and not (money_only and _MONEY not in line):
                record = orjson.loads(line[: _shown_bytes(line)] + b"}")
                # What stands in the session behind it may have looked like a match.
                if query.orchestrator_id in (None, record["orchestrator_id"]) and query.session_id in (
                    None, record["metadata"].get("session_id"),
                ):  # fmt: skip
                    yield record

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            self._files.pop().segment.close()

    def _lines(self) -> Iterator[bytes]:
        """Every line, whole and in its place."""
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
                # What a compressed one keeps in memory goes with it.
                file.segment.close()
        for path, position in self._shown.items():
            if position.seq > seq:
                raise Corrupt(f"PAY-J12 {path} shows entry {position.seq}, which the journal does not have")


def _sync(disk: Disk, journal_path: Path) -> None:
    """Returns when every line that was found is on disk: one that a crash can undo is nothing to hand on."""
    try:
        descriptor = disk.open(journal_path, os.O_RDONLY)
    except FileNotFoundError:
        # It has just been sealed, and is on disk by that.
        return
    try:
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)


def _is_sound(line: bytes, seq: int) -> bool:
    return line.startswith(b'{"seq":%d,' % seq) and has_valid_checksum(line) and _REST in line


def _shown_bytes(line: bytes) -> int:
    """How much of ``line`` is what ``entry_record`` shows: all before the session, or power state, after the entry."""
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
