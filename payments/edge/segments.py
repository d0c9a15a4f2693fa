"""The files of the spool that events are in: append-only, begun anew past a size, taken away when nothing is needed.

``events-00000000000000000001.jsonl`` begins with position 1. Each is rewritten as a whole, without what is needed no
more, by ``replace_file``: a crash leaves the old or the new one. Lines leave from the front only: else a session's end
might be gone while its start is still there, and a new life would take it for one that was left open. A line that was
torn by a crash ends a file: a start never appends to one that is there. One thread at a time (the caller's care).
"""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from payments.disk import Disk, replace_file
from payments.disk.operations import write_all
from payments.edge.lines import Spooled, line

_NAME = "events-{:020d}.jsonl"
_NAMES = re.compile(r"events-([0-9]{20})\.jsonl")


class Segment:
    """One file.

    Attributes:
        first: no event in it has a lower position.
        size_bytes: what it takes up; ``kept_bytes``: what of that is still needed.
        events: those in it; some are perhaps kept no longer.
        is_suspect: what is on disk may be less than what was written; it has to be rewritten.
    """

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first = first
        self.size_bytes = 0
        self.kept_bytes = 0
        self.events: list[Spooled] = []
        self.is_suspect = False

    def take(self, event: Spooled) -> None:
        """``event`` is in it."""
        self.events.append(event)
        self.size_bytes += event.size_bytes
        if event.is_kept:
            self.kept_bytes += event.size_bytes


class Segments:
    """The files in their order; the last one may be open for appending."""

    def __init__(self, disk: Disk, folder: Path, segment_bytes: int) -> None:
        self._disk = disk
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._all: list[Segment] = []
        self._descriptor: int | None = None
        self._written_bytes = 0
        self._is_synced = True

    @property
    def size_bytes(self) -> int:
        """What all of them take up; never too low."""
        return sum(segment.size_bytes for segment in self._all)

    def adopt(self, segments: Sequence[Segment]) -> None:
        """Take over what was found in the folder, in its order."""
        self._all = [*segments, *self._all]

    def append(self, events: Sequence[Spooled]) -> None:
        """Write ``events``, whose positions are known; not yet durable. Raises ``OSError``: none counts as written."""
        descriptor = self._open_for(events[0].position)
        try:
            data = b"".join(map(line, events))
            write_all(self._disk, descriptor, data)
        except OSError:
            self._cut_back(descriptor)
            raise
        self._written_bytes += len(data)
        self._is_synced = False
        for event in events:
            self._all[-1].take(event)

    def sync(self) -> None:
        """Make durable what was written. Raises ``OSError``: then it has to be rewritten, for the cache lies now."""
        if self._descriptor is None or self._is_synced:
            return
        try:
            self._disk.sync(self._descriptor)
        except OSError:
            self.seal()
            raise
        self._is_synced = True

    def seal(self) -> None:
        """Append to a new one from now on. Where not all of this one was synced, it has to be rewritten."""
        if self._descriptor is not None:
            self._all[-1].is_suspect |= not self._is_synced
            descriptor, self._descriptor = self._descriptor, None
            self._disk.close(descriptor)

    def forget(self, event: Spooled) -> None:
        """``event`` is kept no longer."""
        if event.position:
            index = bisect_right(self._all, event.position, key=lambda segment: segment.first) - 1
            self._all[index].kept_bytes -= event.size_bytes

    def suspect_missing(self) -> bool:
        """Whether somebody has taken files away, or put others in their place; they are suspect from now on."""
        missing = [segment for segment in self._all if not segment.is_suspect and not self._is_there(segment)]
        for segment in missing:
            segment.is_suspect = True
            if segment is self._open_one():
                self.seal()
        return bool(missing)

    def mend(self) -> None:
        """Rewrite what is suspect. Raises ``OSError``."""
        suspect = [index for index, segment in enumerate(self._all) if segment.is_suspect]
        for segment in self._all[: suspect[-1] + 1] if suspect else []:
            self._renew(segment)

    def remove_spent(self, *, also_open: bool = False) -> None:
        """Take away the first files, as long as nothing is needed of them. Raises ``OSError``."""
        while self._all and not self._all[0].kept_bytes:
            if self._all[0] is self._open_one():
                if not also_open:
                    return
                self.seal()
            self._remove(self._all[0])

    def compact(self, most_bytes: int) -> None:
        """Take out what is needed no more until all take up no more than ``most_bytes``. Raises ``OSError``."""
        for segment in list(self._all):
            if self.size_bytes <= most_bytes:
                return
            self._renew(segment)

    def _is_there(self, segment: Segment) -> bool:
        status = self._disk.status(segment.path)
        if status is None or self._descriptor is None or segment is not self._open_one():
            return status is not None
        return (status.st_ino, status.st_dev) == self._disk.identity(self._descriptor)

    def _renew(self, segment: Segment) -> None:
        """Rewrite ``segment`` where that makes a difference."""
        if segment.is_suspect or segment.kept_bytes < segment.size_bytes:
            if segment is self._open_one():
                self.seal()
            self._rewrite(segment)

    def _rewrite(self, segment: Segment) -> None:
        events = [event for event in segment.events if event.is_kept]
        if not events:
            self._remove(segment)
            return
        replace_file(self._disk, segment.path, map(line, events))
        segment.events = []
        segment.size_bytes = segment.kept_bytes = 0
        segment.is_suspect = False
        for event in events:
            segment.take(event)

    def _remove(self, segment: Segment) -> None:
        if self._disk.status(segment.path) is not None:
            self._disk.remove(segment.path)
        self._all.remove(segment)

    def _open_one(self) -> Segment | None:
        return self._all[-1] if self._descriptor is not None else None

    def _open_for(self, position: int) -> int:
        """A descriptor to append to; of a new file, whose name is durable, where none is open that has room."""
        if self._descriptor is not None and self._all[-1].size_bytes >= self._segment_bytes:
            self.sync()
            self.seal()
        if self._descriptor is None:
            path = self._folder / _NAME.format(position)
            descriptor = self._disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            try:
                self._disk.sync_folder(self._folder)
            except OSError:
                self._disk.close(descriptor)
                raise
            self._descriptor = descriptor
            self._written_bytes, self._is_synced = 0, True
            self._all.append(Segment(path, position))
        return self._descriptor

    def _cut_back(self, descriptor: int) -> None:
        """Leave nothing of a write that failed, or append to this file no more: a torn line may end it."""
        try:
            self._disk.truncate(descriptor, self._written_bytes)
        except OSError:
            self._is_synced = False
            self.seal()


def first_position(path: Path) -> int | None:
    """The number in the name of a segment; ``None`` where it is the name of something else."""
    named = _NAMES.fullmatch(path.name)
    return int(named[1]) if named else None


def lines_of(disk: Disk, path: Path) -> Iterator[bytes]:
    """What stands in the file, line by line, newlines included. Raises ``OSError``."""
    descriptor = disk.open(path, os.O_RDONLY)
    try:
        data = disk.read(descriptor, disk.size(descriptor), 0)
    finally:
        disk.close(descriptor)
    yield from BytesIO(data)
