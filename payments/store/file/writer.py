"""``JournalWriter``: one process's access to the shared journal. Everything except ``sync`` holds the lock."""

import gc
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from payments.clock import monotonic_s
from payments.disk import Disk
from payments.disk.lock import HotLock, LockTimeout
from payments.domain.entries import Entry
from payments.domain.state import State, evolve
from payments.errors import Corrupt, Unavailable
from payments.store.file import halt, snapshot
from payments.store.file.codec import Position, decode_lines
from payments.store.file.journal import Journal, SyncFailed
from payments.store.file.lines import BadTail
from payments.store.file.proof import contradiction
from payments.store.file.rebuild import Rebuild
from payments.store.file.recovery import set_tail_aside
from payments.store.file.segments import lock_path
from payments.store.file.snapshot import Paths, Snapshot
from payments.store.protocol import Clock

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 120.0
"""How long a start waits for the lock. Another process may be rebuilding the state from a long journal."""

HELD_TOO_LONG = "is held by another process for too long; is one stopped?"

_MIN_FREE_BYTES = 1 << 20


class JournalWriter:
    """One process's access to the journal, and the state folded from it.

    Not thread-safe: only one thread of the process may call ``turn``, ``record`` and ``sync``.

    Attributes:
        state: all entries up to ``journal.position``, except those recorded since the last ``sync``.
        rebuilt: whether the state had to be folded from the whole journal, because a projection was unusable.
        waiting_since_s: since when this process waits for the lock, by ``monotonic_s``; ``None``: it does not wait.
    """

    def __init__(self, disk: Disk, path: Path, projections: Paths, clock: Clock, segment_bytes: int) -> None:
        """Open and recover. Raises ``OSError``, ``Corrupt``, and ``Unavailable`` if the lock stays held."""
        self._disk = disk
        self._path = path
        self._projections = projections
        self._clock = clock
        self._mark = str(halt.mark_path(path))
        self._halted: str | None = None
        self._recorded: State | None = None
        self.waiting_since_s: float | None = None
        self.state = State()
        self._begin = Position()
        with ExitStack() as opened:
            self.journal = Journal(disk, path, segment_bytes)
            opened.callback(self.journal.close)
            self._lock = HotLock(lock_path(path))
            opened.callback(self._lock.close)
            self.rebuilt = self._recover()
            opened.pop_all()

    @property
    def is_up_to_date(self) -> bool:
        """Whether the state has every entry of every process, and all are on disk. Any thread may ask, without lock."""
        if self._halted is not None:
            return False
        try:
            size = self.journal.current_size()
        except OSError:
            return False
        position = self.journal.position
        # The order matters: the writing thread may change these one after the other meanwhile.
        return size == position.offset and self.state.seq == position.seq and self.journal.durable_seq >= position.seq

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock, with the state up to date. Waits for the lock without a limit.

        Raises ``Unavailable`` and ``Corrupt``.
        """
        with self._held():
            self._ensure_current()
            try:
                yield
            except BaseException:
                self._roll_back()
                raise

    def record(self, entries: Sequence[Entry], after: State) -> None:
        """Append ``entries``; at most once per ``turn``. Only ``sync`` puts them on disk and into the state.

        ``after`` is a draft of the state with the entries folded in. If this or the rest of the ``turn`` fails, the
        entries are rolled back. Raises ``Unavailable``.
        """
        if not entries:
            return
        if self.journal.is_full():
            self.sync()
            self.journal.seal()
        self._begin = self.journal.position
        self._recorded = after
        self.journal.append(entries)

    def sync(self) -> None:
        """Put all recorded entries on disk, then into the state.

        Raises ``Unavailable``, and does so forever once a sync has failed (rule 5.2).
        """
        self.check_not_halted()
        if self.journal.durable_seq < self.journal.position.seq:
            self._sync()
        if self._recorded is not None:
            self.state.adopt(self._recorded)
            self._recorded = None

    def check_free_space(self) -> None:
        """Raises ``Unavailable`` if the journal's disk has less than ``_MIN_FREE_BYTES`` left."""
        try:
            free = os.statvfs(self._path.parent)
        except OSError as error:
            raise Unavailable(f"PAY-D04 {self._path}: cannot be looked at ({error.strerror})") from error
        if free.f_bavail * free.f_frsize < _MIN_FREE_BYTES:
            raise Unavailable(f"PAY-D01 {self._path.parent}: its disk is full; make space", retry_after_s=5)

    def close(self) -> None:
        self._lock.close()
        self.journal.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the lock. Raises ``Unavailable``, also for an ``OSError`` meanwhile; a failed folder sync halts."""
        self._acquire(self._lock.acquire)
        try:
            yield
        except SyncFailed as error:
            self._halt(error)
        except OSError as error:
            raise Unavailable(
                f"PAY-D04 {self._path}: cannot be read or fixed ({error.strerror})", retry_after_s=5
            ) from error
        finally:
            self._lock.release()

    def _roll_back(self) -> None:
        if self._recorded is not None:
            self._recorded = None
            self.journal.roll_back(self._begin)
            # On disk before anything else is appended: otherwise a crash could bring back what was rolled back.
            self._sync()

    def _acquire(self, acquire: Callable[[], None]) -> None:
        self.waiting_since_s = monotonic_s()
        try:
            acquire()
        except LockTimeout as error:
            raise Unavailable(f"PAY-D05 {error} {HELD_TOO_LONG}") from error
        except OSError as error:
            raise Unavailable(
                f"PAY-D04 {self._path}: its lock cannot be taken ({error.strerror})", retry_after_s=5
            ) from error
        finally:
            self.waiting_since_s = None

    def _ensure_current(self) -> None:
        """Switch to the active file if needed, and read all of it. Raises ``Unavailable``, ``Corrupt``, ``OSError``."""
        self.check_not_halted()
        while (size := self.journal.current_size()) is None and self.journal.is_sealed():
            self._fold(self.journal.read_newly_sealed())
        if size is None or size < self.journal.position.offset:
            raise Unavailable(
                f"PAY-J08 {self._path} was removed or cut short under a running process; restore it, and restart"
            )
        if size > self.journal.position.offset:
            self._catch_up()

    def check_not_halted(self) -> None:
        """Raises ``Unavailable`` once any process's sync has failed. Any thread may call it, without lock."""
        if self._halted is None and self._disk.exists(self._mark):
            self._halted = f"{self._mark} exists: a sync failed"
        if self._halted is not None:
            raise Unavailable(
                f"PAY-D02 {self._halted}. Nothing is written until a restart has verified the journal from disk; "
                "look at the disk, then restart all processes of Payments", retry_after_s=60,
            )  # fmt: skip

    def _sync(self) -> None:
        try:
            self.journal.sync()
        except OSError as error:
            self._halt(error)

    def _halt(self, error: OSError) -> None:
        self._halted = f"{self._path}: a sync failed ({error.strerror})"
        log.critical("PAY-D02 %s; every writer stops", self._halted)
        halt.set_mark(self._disk, self._path, self._halted)
        self.check_not_halted()

    def _recover(self) -> bool:
        with _garbage_collection_paused():
            # Without the lock, because this takes seconds if there are many sessions. Projections are replaced
            # atomically, and entries recorded meanwhile are read from the journal below.
            found = snapshot.read(self._projections)
            self._acquire(lambda: self._lock.acquire_within(OPEN_TIMEOUT_S))
            try:
                # Always: the process that made the journal may have died before it synced the name.
                self._disk.sync_folder(self._path.parent)
                self.journal.reopen()
                halted = self._disk.exists(self._mark)
                if halted:
                    self._disk.forget_cache(self.journal.descriptor)
                for path, position in found.reflected.items():
                    self._check_reflected(path, position)
                is_rebuilt = found.snapshot is None or halted or not self._resume(found.snapshot)
                if is_rebuilt:
                    self._fold_from(Snapshot(State(), Position()))
                self.state.build_overview()
                # Another process may have written some of what was read without syncing it yet.
                self._sync()
                if halted:
                    log.warning(
                        "PAY-D03 %s: verified from disk up to seq %d after a failed sync", self._path, self.state.seq
                    )
                    halt.clear_mark(self._disk, self._path)
                return is_rebuilt
            finally:
                self._lock.release()

    def _resume(self, snapshot: Snapshot) -> bool:
        """Fold the rest of the journal onto the projections' state; whether the result agrees with the journal."""
        self._fold_from(snapshot)
        end = self.journal.end()
        try:
            why = contradiction(end, self.state)
        finally:
            os.close(end.descriptor)
        if why is not None:
            names = ", ".join(map(str, self._projections))
            log.warning("PAY-J02 %s: the journal has %s; they are made again from it", names, why)
        return why is None

    def _fold_from(self, snapshot: Snapshot) -> None:
        """Fold everything after ``snapshot`` into its state."""
        self.state, self.journal.position = snapshot
        self.journal.check_sealed()
        rebuild = Rebuild(self.state)
        self.journal.decode = rebuild.note_lines
        self._fold(self.journal.read_sealed())
        self._catch_up()
        rebuild.settle()
        self.journal.decode = decode_lines

    def _check_reflected(self, path: Path, position: Position) -> None:
        if not self.journal.contains(position):
            raise Corrupt(
                f"PAY-J12 {path} shows entry {position.seq}, at byte {position.offset} of {self._path}, but that "
                "is not what the journal has there: it was cut, changed, or is another one. Restore the journal "
                f"that belongs here; or, if this one is right, remove {path} and start again"
            )

    def _fold(self, read: Iterator[Sequence[Entry]]) -> None:
        for entries in read:
            for entry in entries:
                evolve(self.state, entry)

    def _catch_up(self) -> None:
        while True:
            try:
                self._fold(self.journal.read_on())
                return
            except BadTail as bad:
                reflected = snapshot.read(self._projections).reflected.values()
                confirmed_seq = max((position.seq for position in reflected), default=0)
                set_tail_aside(self.journal, bad, confirmed_seq, self._clock())
                self._sync()


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Nothing made during a start becomes garbage, and collecting would take a third of the time of reading it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
