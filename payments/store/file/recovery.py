"""Handles a journal that cannot be read to its end: sets a torn tail aside, or refuses to start (rule 5.3).

After a crash, lines that were not yet synced may be missing, cut short, or of full length with zeros where sectors were
not written. They were never acknowledged, so they may go. Any other damage hit lines that were once complete, and is
refused. As in etcd's write-ahead log, zeros tell the two apart: JSON has none, and one flipped bit makes at most one.
"""

import logging
from contextlib import suppress

from payments.disk import write_file
from payments.domain.times import format_time
from payments.store.file.codec import BadLine, UnknownVersion, has_valid_checksum, parse
from payments.store.file.journal import Journal
from payments.store.file.lines import BadTail, damaged

log = logging.getLogger(__name__)

_MAX_TAIL_BYTES = 64 << 20
"""More than all processes together can write between two syncs."""


def set_tail_aside(journal: Journal, bad: BadTail, confirmed_seq: int, now_ms: int) -> None:
    """Move what follows ``bad.position`` into a file of its own if it is a torn tail, else raise ``Corrupt``.

    ``confirmed_seq`` is the highest ``seq`` that a projection shows: entries up to there were acknowledged. The caller
    holds the journal's lock, so an incomplete line is not one being written. It must sync the journal before it appends
    anything.
    """
    offset = bad.position.offset
    tail = journal.disk.read(journal.descriptor, _MAX_TAIL_BYTES + 1, offset)
    lost_seq = bad.position.seq + 1
    too_long = len(tail) > _MAX_TAIL_BYTES
    if confirmed_seq >= lost_seq or too_long or not looks_torn(tail) or _confirms(tail, lost_seq):
        raise damaged(journal.path, bad) from bad
    stamp = format_time(now_ms).replace(":", "").replace("-", "")
    kept = journal.path.with_name(f"{journal.path.name}.torn-{offset}-{stamp}")
    try:
        write_file(journal.disk, kept, [tail])
        journal.disk.sync_folder(kept.parent)
        journal.disk.truncate(journal.descriptor, offset)
    except OSError:
        # The tail is still in place, so every turn will try again; its copies would fill the disk.
        with suppress(OSError):
            journal.disk.remove(kept)
        raise
    log.warning(
        "PAY-J01 %s: a torn tail of %d bytes behind seq %d, never acknowledged, was set aside as %s",
        journal.path, len(tail), bad.position.seq, kept.name,
    )  # fmt: skip


def looks_torn(tail: bytes) -> bool:
    """Whether a crash can have left ``tail``, which begins with a bad line."""
    line, newline, _ = tail.partition(b"\n")
    if newline or b"\0" in line:
        return b"\0\0" in line or line.startswith(b"\0") or line.endswith(b"\0")
    # A complete line whose newline was damaged is not a torn one.
    return not has_valid_checksum(line[:-1] + b"\n")


def _confirms(tail: bytes, lost_seq: int) -> bool:
    """Whether a complete line in ``tail`` says that the line with ``lost_seq`` was already on disk."""
    for line in tail.split(b"\n")[1:]:
        try:
            if parse(line + b"\n").durable >= lost_seq:
                return True
        except (BadLine, UnknownVersion):
            continue
    return False
