"""Reads the whole journal forwards while other processes write: opens its files, and reads their lines in chunks.

Holds the lock only for a moment, and decodes nothing. ``lines`` reads a file that grows; this module reads the files as
they were when listed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from payments.disk import Disk
from payments.disk.lock import lock_free
from payments.errors import Corrupt
from payments.store.file.blocks import PLAIN_BYTES
from payments.store.file.lines import split_lines
from payments.store.file.segments import PlainSegment, Segment, lock_path, open_sealed, sealed_segments

_CHUNK = 2 * PLAIN_BYTES
_SEQ = re.compile(rb'\{"seq":([0-9]+),')
_LOCK_TIMEOUT_S = 5.0


class ListedSegment(NamedTuple):
    """A file of the journal, sealed or active, as it was when listed.

    Attributes:
        segment: the open file.
        first_seq: of its first line, from the file's name; ``None``: the active file, which may grow.
        end: its size in bytes, uncompressed, when listed.
    """

    segment: Segment
    first_seq: int | None
    end: int


def journal_files(disk: Disk, journal_path: Path) -> list[ListedSegment]:
    """The files of the journal, oldest first, open; the caller closes them. Raises ``OSError``."""
    try:
        # Opened first: if it is sealed meanwhile, it is read by this descriptor and not again under its new name.
        active = PlainSegment(disk, journal_path, disk.open(journal_path, os.O_RDONLY))
    except FileNotFoundError:
        # Between sealing the active file and making the next one there is no active file, also after a crash.
        if files := _sealed_files(disk, journal_path, b""):
            return files
        raise
    # The holder of the lock may have written part of a group and may still roll it back.
    with lock_free(lock_path(journal_path), _LOCK_TIMEOUT_S):
        end = active.size()
    return [*_sealed_files(disk, journal_path, active.read(64, 0)), ListedSegment(active, None, end)]


def _sealed_files(disk: Disk, journal_path: Path, active_line: bytes) -> list[ListedSegment]:
    """The sealed segments before the file that begins with ``active_line``, which may itself be sealed by now."""
    begin = _SEQ.match(active_line)
    files = []
    for first_seq, _ in sealed_segments(journal_path) if journal_path.parent.is_dir() else ():
        if begin is None or first_seq < int(begin[1]):
            segment = open_sealed(disk, journal_path, first_seq)
            files.append(ListedSegment(segment, first_seq, segment.size()))
    return files


def line_chunks(file: ListedSegment) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of ``file`` in chunks: the offset of the chunk's first line, and the lines with their newlines."""
    read = offset = 0
    rest = b""
    while read < file.end:
        chunk = file.segment.read(min(_CHUNK, file.end - read), read)
        if not chunk:
            raise Corrupt(f"PAY-J17 {file.segment.path}: it ends at byte {read}, and had {file.end} bytes a moment ago")
        read += len(chunk)
        lines = split_lines(chunk)
        lines[0] = rest + lines[0]
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        yield offset, lines
        offset = read - len(rest)
    # What follows the last newline of the active file is being written or is a torn tail, which a start repairs.
    if rest and file.first_seq is not None:
        raise Corrupt(f"PAY-J17 {file.segment.path}: its last line, at byte {offset}, has no end")
