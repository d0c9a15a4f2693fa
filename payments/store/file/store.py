"""The engine as its users see it: callers' commands in groups, one commit for each group."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from payments.clock import monotonic_s
from payments.disk import Disk
from payments.domain.commands import Command, decide
from payments.domain.decisions import Terms
from payments.domain.entries import JSON, Entry
from payments.domain.ledger import Balance
from payments.domain.overview import Totals
from payments.domain.readings import PowerState
from payments.domain.retention import Retention, retention_due
from payments.domain.sessions import Session
from payments.domain.state import State, evolve
from payments.errors import Misconfigured, Rejected, Unavailable
from payments.store.file import reader
from payments.store.file.committer import Committer, Ticket, TimedOut
from payments.store.file.compression import compress_sealed
from payments.store.file.projector import Projector
from payments.store.file.snapshot import Paths, Snapshot
from payments.store.file.writer import HELD_TOO_LONG, JournalWriter
from payments.store.protocol import (
    Clock,
    Commit,
    EntryQuery,
    Observer,
    Page,
    Result,
    SessionQuery,
    TermsSource,
    unobserved,
)
from payments.store.queries import find_sessions, read_cursor, sorted_balances, sorted_powers

LOCK_TIMEOUT_S = 5.0
"""How long a request waits for its turn before it is told to come again (rule 7.3)."""

MAX_LOCK_WAIT_S = 1.0
"""Once the lock has been waited for so long, nobody else queues up for it."""

MAX_WAITING, SHORT_TIMEOUT_S = 56, 0.25
"""So many requests may wait their time at once, and whoever comes then waits briefly. The server has more threads than
that, so it always answers others."""

T = TypeVar("T")
Look: TypeAlias = Callable[[], object]


class _Request(Ticket):
    """What one caller wants of the journal: commands carried out, and then a look at it.

    Attributes:
        results: one per command; ``look`` is called between commits, when all is on disk and in the state.
        seq: of the last entry that the results rest on.
    """

    __slots__ = ("commands", "look", "results", "seq")

    def __init__(self, commands: Sequence[Command] = (), look: Look | None = None) -> None:
        super().__init__()
        self.commands = commands
        self.look = look
        self.results: list[Result] = []
        self.seq = 0


class FileStore:
    """A ``Store`` on a journal file. Any number of threads and of processes may use the same files."""

    def __init__(
        self,
        journal_path: Path,
        projections: Paths,
        terms: TermsSource,
        clock: Clock,
        *,
        credit_unit: str = "eth",
        segment_bytes: int = 1 << 28,
        disk: Disk | None = None,
        observe: Observer = unobserved,
    ) -> None:
        """Open the journal, rebuild the state, and bring the projections up to date.

        Raises ``Corrupt`` where the journal is damaged, ``Unavailable`` where another process keeps the lock, and
        ``Misconfigured`` where files cannot be read or written.
        """
        disk = disk or Disk()
        self._terms = terms
        self._clock = clock
        self._observe = observe
        self._probe: _Request | None = None
        try:
            self._journal = JournalWriter(disk, journal_path, projections, clock, segment_bytes)
        except OSError as error:
            raise Misconfigured(_unusable(error, journal_path)) from error
        self._committer = Committer(self._serve)
        self._projector = Projector(
            disk,
            projections,
            self._capture,
            self._state,
            credit_unit,
            seq=self._journal.state.seq,
            must_write=self._journal.rebuilt,
        )

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        request = _Request(commands)
        self._ask(request)
        self._projector.follow(request.seq)
        return request.results

    def session(self, session_id: str) -> Session | None:
        return self._state().sessions.get(session_id)

    def sessions(self, query: SessionQuery, *, before: str | None = None, limit: int = 50) -> Page[Session]:
        return find_sessions(self._state(), query, before, limit)

    def balance(self, orchestrator_id: str) -> Balance | None:
        return self._state().balances.get(orchestrator_id)

    def balances(self) -> Sequence[Balance]:
        return sorted_balances(self._state())

    def powers(self) -> Sequence[PowerState]:
        return sorted_powers(self._state())

    def due(self, now_ms: int, close_after_ms: int, purge_after_ms: int, limit: int) -> Sequence[Retention]:
        return retention_due(self._state(), now_ms, close_after_ms, purge_after_ms, limit)

    def totals(self, now_ms: int, idle_timeout_ms: int) -> Totals:
        return self._state().totals(now_ms, idle_timeout_ms)

    def entries(self, query: EntryQuery, *, before: str | None = None, limit: int = 200) -> Page[Entry]:
        before_seq = None if before is None else read_cursor(before)
        end = self._look(self._journal.journal.end)
        try:
            return reader.read_page(end, query, before_seq, limit)
        except OSError as error:
            raise Unavailable(f"PAY-D04 the journal cannot be read ({error.strerror})", retry_after_s=5) from error
        finally:
            os.close(end.descriptor)

    def check(self) -> dict[str, JSON]:
        self._journal.check_not_halted()
        self._journal.check_free_space()
        self._check_lock()
        # Whether a command would get the lock only a try can tell; what it comes to, the next check says.
        last = self._probe
        if last is None or last.is_answered:
            self._probe = _Request()
            self._committer.submit(self._probe)
            if last is not None and last.error is not None:
                raise last.error
        return {"engine": "file", "seq": self._journal.state.seq}

    def maintain(self) -> None:
        compress_sealed(self._journal.journal.disk, self._journal.journal.path)

    def refresh(self) -> None:
        self._projector.try_update(self._state().seq)

    def close(self) -> None:
        self._projector.close(self._journal.state.seq)
        # A thread that still waits for the lock keeps what it needs.
        if self._committer.close(LOCK_TIMEOUT_S):
            self._journal.close()

    def _state(self) -> State:
        """The state after every acknowledged command, whichever process acknowledged it. Read only."""
        if not self._journal.is_up_to_date:
            self._ask(_Request())
        return self._journal.state

    def _ask(self, request: _Request) -> None:
        """Returns when ``request`` was served."""
        self._check_lock()
        timeout_s = SHORT_TIMEOUT_S if self._committer.waiting >= MAX_WAITING else LOCK_TIMEOUT_S
        self._committer.submit(request)
        try:
            request.wait(timeout_s)
        except TimedOut:
            why = "storage is busy" if self._journal.waiting_since_s is None else f"the journal's lock {HELD_TOO_LONG}"
            raise Unavailable(f"PAY-D05 {why}; nothing is recorded unless it says so when asked again") from None

    def _check_lock(self) -> None:
        """Raises ``Unavailable`` where a request would most likely wait for the lock in vain."""
        since_s = self._journal.waiting_since_s
        if since_s is not None and monotonic_s() - since_s > MAX_LOCK_WAIT_S:
            raise Unavailable(f"PAY-D05 the journal's lock {HELD_TOO_LONG}; nothing was recorded")

    def _look(self, look: Callable[[], T]) -> T:
        """What ``look`` returns, called while nobody in this process works on the journal."""
        found: list[T] = []
        self._ask(_Request(look=lambda: found.append(look())))
        return found[0]

    def _serve(self, take: Callable[[], list[_Request]]) -> None:
        """One commit for all that wait; in the committer's thread."""
        entries: list[Entry] = []
        asked_s = monotonic_s()
        with self._journal.turn():
            requests = take()
            begun_s = monotonic_s()
            draft, terms, now_ms = self._journal.state.draft(), self._terms(), self._clock()
            first_seq = draft.seq
            for request in requests:
                request.results += [_decide(command, draft, terms, now_ms, entries) for command in request.commands]
                request.seq = draft.seq
            self._journal.record(entries, draft)
        self._journal.sync()
        if count := draft.seq - first_seq:
            self._observe(Commit(count, begun_s - asked_s, monotonic_s() - begun_s))
        for request in requests:
            _look(request)

    def _capture(self) -> Snapshot:
        """A copy of the state, on disk up to its position."""

        def copy() -> Snapshot:
            state = self._journal.state
            copied = State(state.seq, dict(state.sessions), dict(state.balances), dict(state.power))
            return Snapshot(copied, self._journal.journal.position)

        return self._look(copy)


def _look(request: _Request) -> None:
    try:
        # For nobody, it would open a file that nobody closes.
        if request.look is not None and not request.given_up:
            request.look()
    except Exception as error:
        request.error = error


def _decide(command: Command, draft: State, terms: Terms, now_ms: int, entries: list[Entry]) -> Result:
    """The result of ``command``, with its entries folded into ``draft`` and added to ``entries``."""
    try:
        decision = decide(command, draft, terms, now_ms)
    except Rejected as rejection:
        return rejection
    for entry in decision.entries:
        evolve(draft, entry)
        entries.append(entry)
    return decision.outcome


def _unusable(error: OSError, journal_path: Path) -> str:
    return (
        f"PAY-C07 {error.filename or journal_path}: cannot be used ({error.strerror}); let the user that runs Payments "
        f"read and write it, or set PAYMENTS_DATA_DIR to a folder that it can"
    )
