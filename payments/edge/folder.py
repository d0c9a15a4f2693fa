"""The folder of a spool: who has it, and what is written to it and when. One thread at a time (the caller's care).

It has ``events-*.jsonl`` (``payments.edge.segments``; a line: ``payments.edge.lines``), ``cursor``, ``rejects.jsonl``,
and ``lock``, which keeps a second reporter out. Every method may raise ``OSError``; what was given to it is then still
to be written, and ``catch_up`` brings the folder back into order.
"""

from collections.abc import Sequence
from pathlib import Path

from payments.disk import Disk
from payments.disk.lock import HotLock
from payments.edge.cursor import Cursor
from payments.edge.lines import Spooled
from payments.edge.recovery import Found, look
from payments.edge.rejects import Reject, Rejects
from payments.edge.segments import Segments

_MOST_SEGMENT_BYTES = 4 << 20
_MOST_REJECT_BYTES = 8 << 20


class Taken(Exception):
    """Another reporter has the folder."""


class SpoolFolder:
    """One folder.

    Attributes:
        is_ours: taken over.
        usable_bytes: what the events in it may take up: while a file is rewritten, there are two of it.
        position: of the last event that was written; ``durable``: of the last that a crash leaves.
    """

    def __init__(self, disk: Disk, path: Path, most_bytes: int) -> None:
        self.position = self.durable = 0
        self._segment_bytes = min(most_bytes // 16, _MOST_SEGMENT_BYTES)
        self.usable_bytes = most_bytes - self._segment_bytes
        self._disk = disk
        self._path = path
        self._segments = Segments(disk, path, self._segment_bytes)
        self._cursor = Cursor(disk, path / "cursor")
        self._settled = 0
        self._cursor_is_behind = False
        self._rejects = Rejects(disk, path / "rejects.jsonl", min(most_bytes, _MOST_REJECT_BYTES))
        self._lock: HotLock | None = None

    @property
    def is_ours(self) -> bool:
        return self._lock is not None

    @property
    def size_bytes(self) -> int:
        """What the events in it take up."""
        return self._segments.size_bytes

    def forget(self, event: Spooled) -> None:
        """``event`` is kept no longer."""
        self._segments.forget(event)

    def take_over(self) -> Found:
        """Lock the folder, which is made if need be; what is in it, which is written on from here. Raises ``Taken``."""
        self._disk.make_folder(self._path)
        lock = self._locked()
        try:
            found = look(self._disk, self._path, self._cursor)
        except BaseException:
            lock.close()
            raise
        self._lock = lock
        self.position = self.durable = found.position
        self._settled, self._cursor_is_behind = found.settled, True
        self._segments.adopt(found.segments)
        return found

    def has_lost_files(self) -> bool:
        """Whether some are gone, for somebody has cleaned up; ``catch_up`` makes them anew. Raises ``Taken``."""
        assert self._lock is not None
        if not self._lock.names_its_file():
            self._disk.make_folder(self._path)
            lock, self._lock = self._lock, self._locked()
            lock.close()
            self._cursor.close()
            self._cursor_is_behind = True
        return self._segments.suspect_missing()

    def note(self, rejects: Sequence[Reject], now_ms: int) -> None:
        """``rejects`` are to be written down; ``catch_up`` does it."""
        self._rejects.add(rejects, now_ms)

    def note_settled(self, position: int) -> None:
        """Nothing up to ``position`` need be sent again; ``catch_up`` writes it down."""
        self._settled, self._cursor_is_behind = position, True

    def catch_up(self) -> None:
        """Write down what was noted, and write anew what is damaged."""
        # Before the cursor moves, and before torn lines are gone: after a crash in between it is done again.
        self._rejects.write()
        self._segments.mend()
        if self._cursor_is_behind:
            self._cursor.move(self._settled)
            self._cursor_is_behind = False
            self._segments.remove_spent()

    def write(self, events: Sequence[Spooled]) -> int:
        """Append some of ``events``, the first ones, not yet durable; how many are done with.

        Those that are not kept any more are left out.
        """
        size_bytes = count = 0
        for event in events:
            if count and size_bytes + event.size_bytes > self._segment_bytes:
                break
            size_bytes += event.size_bytes
            count += 1
        kept = [event for event in events[:count] if event.is_kept]
        for event in kept:
            # Never again, even if it fails: whole lines of it may be on disk.
            self.position += 1
            event.position = self.position
        try:
            if kept:
                self._segments.append(kept)
        except OSError:
            for event in kept:
                event.position = 0
            raise
        return count

    def sync(self) -> None:
        """Make durable what was written."""
        self._segments.sync()
        self.durable = self.position

    def make_room(self, coming_bytes: int) -> None:
        """Let so many more fit in, as far as there are lines that are kept no longer."""
        if self._segments.size_bytes + coming_bytes > self.usable_bytes:
            self._segments.remove_spent()
            self._segments.compact(self.usable_bytes - coming_bytes)

    def close(self, *, is_empty: bool) -> None:
        """Let go of it; the files with events are removed if it ``is_empty``."""
        try:
            if is_empty:
                self._segments.remove_spent(also_open=True)
            self._segments.seal()
            self._cursor.close()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock.close()
                self._lock = None

    def _locked(self) -> HotLock:
        lock = HotLock(self._path / "lock")
        try:
            if lock.acquire_now():
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()
        raise Taken
