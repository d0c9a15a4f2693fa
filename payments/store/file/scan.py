"""Walking through the whole journal, oldest line first, beside whoever writes it: its files, and their lines in chunks.

Without a lock, but for a moment, and without decoding anything. ``lines`` reads one file as it grows; this, all of them
as they are now.
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
_WITHIN_S = 5.0


class JournalFile(NamedTuple):
    """A part of the journal to walk through.

    Attributes:
        first_seq: by the segment's name; ``None``: it is the active one, which somebody may be writing.
        end: its size by now.
    """

    segment: Segment
    first_seq: int | None
    end: int


def journal_files(disk: Disk, journal_path: Path) -> list[JournalFile]:
    """The journal as it is now, oldest segment first. Whoever asked for them closes them. Raises ``OSError``."""
    try:
        # Opened first: should it be sealed meanwhile, it is walked through as it is, and not once more by its new name.
        active = PlainSegment(disk, journal_path, disk.open(journal_path, os.O_RDONLY))
    except FileNotFoundError:
        # While the journal is sealed and goes on in a new file, and if a crash comes then, there is none of its name.
        if files := _sealed_files(disk, journal_path, b""):
            return files
        raise
    # Whoever has the lock may have written a part of a group, and cut it off again.
    with lock_free(lock_path(journal_path), _WITHIN_S):
        end = active.size()
    return [*_sealed_files(disk, journal_path, active.read(64, 0)), JournalFile(active, None, end)]


def _sealed_files(disk: Disk, journal_path: Path, active_line: bytes) -> list[JournalFile]:
    """The sealed segments before the file that begins with ``active_line``: by now it may be sealed, and others too."""
    begin = _SEQ.match(active_line)
    files = []
    for first_seq, _ in sealed_segments(journal_path) if journal_path.parent.is_dir() else ():
        if begin is None or first_seq < int(begin[1]):
            segment = open_sealed(disk, journal_path, first_seq)
            files.append(JournalFile(segment, first_seq, segment.size()))
    return files


def blocks(file: JournalFile) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of ``file`` by the chunk, with their newlines, and the offset at which the first of them begins."""
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
    # What is behind the last newline of the active file is being written, or was torn: a start deals with that.
    if rest and file.first_seq is not None:
        raise Corrupt(f"PAY-J17 {file.segment.path}: its last line, at byte {offset}, has no end")
