"""``FileStore``: commands of concurrent callers are grouped, and each group is one commit."""

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
"""How long a request waits before it fails as ``Unavailable`` (rule 7.3)."""

MAX_LOCK_WAIT_S = 1.0
"""Once this process has waited this long for the lock, further requests fail at once."""

MAX_WAITING, SHORT_TIMEOUT_S = 56, 0.25
"""At most this many requests wait ``LOCK_TIMEOUT_S``; any more wait ``SHORT_TIMEOUT_S``. The server has more threads
than ``MAX_WAITING``, so some are always free for requests that need no storage."""

T = TypeVar("T")
Callback: TypeAlias = Callable[[], object]


class _Request(Ticket):
    """What one caller asks of the committer: to execute commands, then to call a function.

    Attributes:
        commands: to execute.
        callback: called between two commits, when the state and the disk have all entries; or ``None``.
        results: one per command.
        seq: of the last entry that the results depend on.
    """

    __slots__ = ("callback", "commands", "results", "seq")

    def __init__(self, commands: Sequence[Command] = (), callback: Callback | None = None) -> None:
        super().__init__()
        self.commands = commands
        self.callback = callback
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
        """Open the journal, rebuild the state, and update the projections.

        Raises ``Corrupt`` if the journal is damaged, ``Unavailable`` if another process keeps the lock, and
        ``Misconfigured`` if files cannot be read or written.
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
        end = self._between_commits(self._journal.journal.end)
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
        # Only a trial request shows whether a command would succeed. Its result is reported by the next check.
        previous = self._probe
        if previous is None or previous.is_answered:
            self._probe = _Request()
            self._committer.submit(self._probe)
            if previous is not None and previous.error is not None:
                raise previous.error
        return {"engine": "file", "seq": self._journal.state.seq}

    def maintain(self) -> None:
        compress_sealed(self._journal.journal.disk, self._journal.journal.path)

    def refresh(self) -> None:
        self._projector.try_update(self._state().seq)

    def close(self) -> None:
        self._projector.close(self._journal.state.seq)
        # If the thread still waits for the lock, it still needs these files.
        if self._committer.close(LOCK_TIMEOUT_S):
            self._journal.close()

    def _state(self) -> State:
        """The state after every acknowledged command, whichever process acknowledged it. Read only."""
        if not self._journal.is_up_to_date:
            self._ask(_Request())
        return self._journal.state

    def _ask(self, request: _Request) -> None:
        """Submit ``request`` and wait for its answer. Raises ``Unavailable`` on timeout, and the request's error."""
        self._check_lock()
        timeout_s = SHORT_TIMEOUT_S if self._committer.waiting >= MAX_WAITING else LOCK_TIMEOUT_S
        self._committer.submit(request)
        try:
            request.wait(timeout_s)
        except TimedOut:
            why = "storage is busy" if self._journal.waiting_since_s is None else f"the journal's lock {HELD_TOO_LONG}"
            raise Unavailable(f"PAY-D05 {why}; nothing is recorded unless it says so when asked again") from None

    def _check_lock(self) -> None:
        """Raises ``Unavailable`` if the lock has been held by another process for too long."""
        since_s = self._journal.waiting_since_s
        if since_s is not None and monotonic_s() - since_s > MAX_LOCK_WAIT_S:
            raise Unavailable(f"PAY-D05 the journal's lock {HELD_TOO_LONG}; nothing was recorded")

    def _between_commits(self, function: Callable[[], T]) -> T:
        """The result of ``function``, called while this process writes nothing to the journal."""
        results: list[T] = []
        self._ask(_Request(callback=lambda: results.append(function())))
        return results[0]

    def _serve(self, take_waiting: Callable[[], list[_Request]]) -> None:
        """One commit for all waiting requests; runs in the committer's thread."""
        entries: list[Entry] = []
        asked_s = monotonic_s()
        with self._journal.turn():
            requests = take_waiting()
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
            _call_back(request)

    def _capture(self) -> Snapshot:
        """A copy of the state; the journal is on disk up to its position."""

        def copy() -> Snapshot:
            state = self._journal.state
            copied = State(state.seq, dict(state.sessions), dict(state.balances), dict(state.power))
            return Snapshot(copied, self._journal.journal.position)

        return self._between_commits(copy)


def _call_back(request: _Request) -> None:
    try:
        # If the caller has given up, nobody would close the file that the callback opens.
        if request.callback is not None and not request.given_up:
            request.callback()
    except Exception as error:
        request.error = error


def _decide(command: Command, draft: State, terms: Terms, now_ms: int, entries: list[Entry]) -> Result:
    """The result of ``command``; its entries are folded into ``draft`` and appended to ``entries``."""
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
