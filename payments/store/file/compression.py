"""Compresses sealed segments while everything else goes on: it never holds the journal's lock.

The plain file is removed only after the compressed one is on disk under its final name, was read back from disk, equals
the plain one byte for byte, and every line passed checksum and chain. A crash at any moment leaves at least one
complete file, and the next run continues from there.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path

from payments.disk import Disk
from payments.disk.lock import LockTimeout, brief_lock
from payments.disk.operations import write_all
from payments.errors import Corrupt, Unavailable
from payments.store.file import blocks, halt
from payments.store.file.codec import FIRST_HASH, Position, line_hash
from payments.store.file.lines import BadTail, damaged, read_lines
from payments.store.file.segments import (
    CompressedSegment,
    PlainSegment,
    Segment,
    compressed_path,
    last_line,
    open_sealed,
    sealed_path,
    sealed_segments,
)

log = logging.getLogger(__name__)

_CHUNK = 1 << 20


def compress_sealed(disk: Disk, journal_path: Path) -> None:
    """Compress all sealed segments, oldest first. Returns at once if another process is doing it.

    Raises ``Corrupt`` if a segment is damaged, and ``Unavailable`` if the disk fails or is full; that segment and later
    ones stay uncompressed.
    """
    try:
        with brief_lock(journal_path.with_name(f"{journal_path.name}.compress.lock"), timeout_s=0):
            _check_not_halted(disk, journal_path)
            for stray in journal_path.parent.glob(f"{escape(journal_path.name)}.{'[0-9]' * 20}.gz.new"):
                disk.remove(stray)
            before = None
            for first_seq, path in sealed_segments(journal_path):
                if path == sealed_path(journal_path, first_seq):
                    prev = FIRST_HASH if before is None else _last_hash(disk, journal_path, before)
                    _compress(disk, path, Position(first_seq - 1, 0, prev, first_seq))
                before = first_seq
    except LockTimeout:
        log.info("%s: another process compresses its segments", journal_path)
    except OSError as error:
        raise Unavailable(
            f"PAY-D06 {journal_path}: its sealed segments cannot be compressed ({error.strerror}); none is lost by "
            "that",
            retry_after_s=60,
        ) from error


def _check_not_halted(disk: Disk, journal_path: Path) -> None:
    mark = halt.mark_path(journal_path)
    if disk.exists(str(mark)):
        raise Unavailable(
            f"PAY-D02 {mark} exists: a sync failed; nothing is compressed until a restart", retry_after_s=60
        )


def _last_hash(disk: Disk, journal_path: Path, first_seq: int) -> str:
    segment = open_sealed(disk, journal_path, first_seq)
    try:
        return line_hash(last_line(segment, None))
    finally:
        segment.close()


def _compress(disk: Disk, path: Path, begin: Position) -> None:
    """Replace the plain segment at ``path``, whose first line is at ``begin``, by its compressed form."""
    final = compressed_path(path)
    temporary = final.with_name(f"{final.name}.new")
    plain = PlainSegment(disk, path, disk.open(path, os.O_RDONLY))
    try:
        if disk.status(final) is not None:
            # Both exist: a crash came before the plain one was removed, or somebody copied one there.
            _verify_and_sync(disk, final, plain, begin)
        else:
            try:
                _write(disk, temporary, plain)
                _verify_and_sync(disk, temporary, plain, begin)
                disk.replace(temporary, final)
            except (OSError, Corrupt):
                # On a full disk, the unfinished file would take the space that the journal needs.
                with suppress(OSError):
                    disk.remove(temporary)
                raise
    finally:
        plain.close()
    disk.sync_folder(path.parent)
    disk.remove(path)
    disk.sync_folder(path.parent)
    log.info("%s was compressed", path)


def _write(disk: Disk, path: Path, plain: Segment) -> None:
    descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        for member in blocks.compress(_chunks(plain)):
            write_all(disk, descriptor, member)
    finally:
        disk.close(descriptor)


def _verify_and_sync(disk: Disk, path: Path, plain: Segment, begin: Position) -> None:
    """Sync ``path``, check that it equals ``plain`` and that every line is valid, and make it read-only."""
    descriptor = disk.open(path, os.O_RDONLY)
    try:
        disk.sync(descriptor)
        # So that the comparison reads from disk, not from memory.
        disk.forget_cache(descriptor)
        compressed = _open_equal(disk, path, descriptor, plain)
        try:
            for _ in read_lines(compressed, begin):
                pass
        except BadTail as bad:
            raise damaged(plain.path, bad) from bad
        disk.make_read_only(descriptor)
    finally:
        disk.close(descriptor)


def _open_equal(disk: Disk, path: Path, descriptor: int, plain: Segment) -> Segment:
    """The compressed segment at ``path``. Raises ``Corrupt`` unless it has the same content as ``plain``."""
    try:
        compressed = CompressedSegment(disk, path, descriptor)
        pairs = zip(_chunks(compressed), _chunks(plain), strict=True)
        if compressed.size() == plain.size() and all(copied == written for copied, written in pairs):
            return compressed
        why = "they differ"
    except Corrupt as error:
        why = str(error)
    raise Corrupt(
        f"PAY-J11 {path} does not hold what {plain.path} does, which stays in use ({why}). Look at the disk; if "
        "both files are there, keep copies of both and remove the one that is wrong"
    )


def _chunks(segment: Segment) -> Iterator[bytes]:
    return (segment.read(_CHUNK, offset) for offset in range(0, segment.size(), _CHUNK))
