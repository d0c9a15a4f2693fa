"""What to do where the journal cannot be read on: set a torn tail aside, or refuse (rule 5.3).

A crash can leave of the lines that no sync had covered yet: nothing, their beginning, or all of their length with
zeros where sectors never arrived. None of that was acknowledged, so it may go, and only that may go. Whatever else is
wrong was right once, and is refused. As in etcd's write-ahead log, zeros are what tells the one from the other: JSON
has none, and one flipped bit makes at most one.
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
"""More than all threads of all processes can have written since the last sync."""


def set_tail_aside(journal: Journal, bad: BadTail, confirmed_seq: int, now_ms: int) -> None:
    """Set aside what stands behind ``bad.position`` if it is a torn tail; raises ``Corrupt`` if it is anything else.

    ``confirmed_seq`` is the highest ``seq`` that a projection reflects: up to there everything was acknowledged. The
    caller holds the journal's lock, so no writer is at work, and what is incomplete stays incomplete; it syncs the
    journal before anything is written behind the cut.
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
        # The tail is still where it was, and every turn comes back here: copies would fill the disk.
        with suppress(OSError):
            journal.disk.remove(kept)
        raise
    log.warning(
        "PAY-J01 %s: a torn tail of %d bytes behind seq %d, never acknowledged, was set aside as %s",
        journal.path, len(tail), bad.position.seq, kept.name,
    )  # fmt: skip


def looks_torn(tail: bytes) -> bool:
    """Whether a crash can have left ``tail``, which begins with a line that is not whole."""
    line, newline, _ = tail.partition(b"\n")
    if newline or b"\0" in line:
        return b"\0\0" in line or line.startswith(b"\0") or line.endswith(b"\0")
    # A beginning of a line is never a whole line and one byte more: that is a damaged newline.
    return not has_valid_checksum(line[:-1] + b"\n")


def _confirms(tail: bytes, lost_seq: int) -> bool:
    """Whether a whole line in ``tail`` says that the line with ``lost_seq`` was on disk when it was written."""
    for line in tail.split(b"\n")[1:]:
        try:
            if parse(line + b"\n").durable >= lost_seq:
                return True
        except (BadLine, UnknownVersion):
            continue
    return False
