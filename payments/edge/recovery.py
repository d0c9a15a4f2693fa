"""What a folder of a spool holds when it is opened, after whatever death the last reporter had."""

from pathlib import Path
from typing import NamedTuple

from payments.disk import Disk
from payments.edge.cursor import Cursor
from payments.edge.lines import BadLine, Spooled, read
from payments.edge.rejects import Reject
from payments.edge.segments import Segment, first_position, lines_of


class Found(NamedTuple):
    """What was there.

    Attributes:
        segments: the files, with their events; those with lines that are none are suspect.
        settled: events up to this position need not be sent any more.
        position: none that was ever used is higher.
        set_aside: lines that are no events.
    """

    segments: list[Segment]
    settled: int
    position: int
    set_aside: list[Reject]

    @property
    def events(self) -> list[Spooled]:
        """All of them, in their order."""
        return [event for segment in self.segments for event in segment.events]


def look(disk: Disk, folder: Path, cursor: Cursor) -> Found:
    """Read all of ``folder``; takes away only what a crash has left half-made. Raises ``OSError``."""
    # Not glob: where a folder cannot be read, that finds nothing and says nothing.
    paths = sorted(folder.iterdir())
    for leftover in paths:
        if leftover.suffix == ".new":
            disk.remove(leftover)
    settled = cursor.read()
    set_aside: list[Reject] = []
    named = [(path, first_position(path)) for path in paths]
    segments = [_segment(disk, path, first, set_aside) for path, first in named if first is not None]
    found = Found(segments, settled, settled, set_aside)
    for event in found.events:
        event.is_pending = event.position > settled
    last = max((event.position for event in found.events), default=0)
    first = max((segment.first for segment in segments), default=0)
    return found._replace(position=max(settled, last, first))


def _segment(disk: Disk, path: Path, first: int, set_aside: list[Reject]) -> Segment:
    segment = Segment(path, first)
    for line in lines_of(disk, path):
        try:
            segment.take(read(line))
        except BadLine as error:
            segment.is_suspect = True
            set_aside.append(Reject(f"{path.name}: {error}", line=line))
    return segment
