"""The engine as its users see it: callers' commands in groups, one commit for each group."""

import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from payments.disk import Disk
from payments.domain.billing import Terms
from payments.domain.commands import Command, decide
from payments.domain.entries import JSON, Entry
from payments.domain.state import State, evolve
from payments.errors import Misconfigured, PaymentsError, Rejected, Unavailable
from payments.store.file import reader
from payments.store.file.projector import Projector
from payments.store.file.shared import SharedJournal
from payments.store.file.snapshot import Paths, Snapshot
from payments.store.protocol import Clock, Page, Query, Result, TermsSource

LOCK_TIMEOUT_S = 5.0
"""How long a request waits for its turn before it is told to come again."""


class _Ticket:
    """The commands of one caller on their way through a commit.

    Attributes:
        results: one per command, once decided; ``error`` instead where the group could not be committed.
        seq: of the last entry that the results rest on; the caller waits until that is on disk.
    """

    __slots__ = ("commands", "error", "results", "seq")

    def __init__(self, commands: Sequence[Command]) -> None:
        self.commands = commands
        self.results: list[Result] | None = None
        self.error: Exception | None = None
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
    ) -> None:
        """Open the journal, rebuild the state, and bring the projections up to date.

        Raises ``Corrupt`` where the journal is damaged, ``Unavailable`` where another process keeps the lock, and
        ``Misconfigured`` where files cannot be read or written.
        """
        disk = disk or Disk()
        self._terms = terms
        self._clock = clock
        self._queue: deque[_Ticket] = deque()
        self._turn = threading.Lock()
        try:
            self._journal = SharedJournal(disk, journal_path, projections, clock, segment_bytes)
            self._projector = Projector(disk, projections, self._capture, credit_unit)
            self._projector.write(self._journal.state.seq, must=self._journal.rebuilt)
        except OSError as error:
            raise Misconfigured(_unusable(error, journal_path)) from error

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        ticket = _Ticket(commands)
        self._queue.append(ticket)
        deadline_s = time.monotonic() + LOCK_TIMEOUT_S
        if not self._turn.acquire(timeout=LOCK_TIMEOUT_S):
            self._withdraw(ticket)
            raise Unavailable("storage is busy; nothing is recorded unless it says so when asked again")
        try:
            # Whoever had the turn before may have committed this ticket too.
            if ticket.results is None and ticket.error is None:
                self._lead(ticket, deadline_s)
        finally:
            self._turn.release()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.results is not None
        self._journal.sync_through(ticket.seq)
        self._projector.follow(ticket.seq, len(self._journal.state.sessions))
        return ticket.results

    def view(self) -> State:
        if not self._journal.is_read_up:
            self._catch_up()
        return self._durable_state()

    def entries(self, query: Query, *, before: int | None = None, limit: int = 200) -> Page:
        self.view()
        with self._turn:
            end = self._journal.journal.end()
        try:
            return reader.read_page(end, query, before, limit)
        except OSError as error:
            raise Unavailable(f"the journal cannot be read ({error.strerror})", retry_after_s=5) from error
        finally:
            os.close(end.descriptor)

    def check(self) -> dict[str, JSON]:
        # Always with the lock: whether a command would get it is the question.
        self._catch_up()
        self._journal.check_room()
        return {"engine": "file", "seq": self._durable_state().seq}

    def close(self) -> None:
        self._projector.close(self._journal.state.seq)
        self._journal.close()

    def _durable_state(self) -> State:
        self._journal.sync_through(self._journal.state.seq)
        return self._journal.state

    def _withdraw(self, ticket: _Ticket) -> None:
        # Not in the queue: in a commit at this moment, and recorded or not; the caller asks again, and learns.
        with suppress(ValueError):
            self._queue.remove(ticket)

    def _lead(self, ticket: _Ticket, deadline_s: float) -> None:
        """Commit every ticket that waits, this one among them."""
        try:
            with self._journal.turn(deadline_s - time.monotonic()):
                self._commit_queue()
        except PaymentsError as error:
            if ticket.results is None and ticket.error is None:
                self._withdraw(ticket)
                ticket.error = error

    def _commit_queue(self) -> None:
        tickets = []
        while self._queue:
            tickets.append(self._queue.popleft())
        entries: list[Entry] = []
        try:
            draft, terms, now_ms = self._journal.state.draft(), self._terms(), self._clock()
            for ticket in tickets:
                ticket.results = [_decide(command, draft, terms, now_ms, entries) for command in ticket.commands]
                ticket.seq = draft.seq
            self._journal.record(entries)
        except Exception as error:
            refused = Unavailable(f"the journal cannot be continued ({error})") if isinstance(error, OSError) else error
            for ticket in tickets:
                ticket.error = refused

    def _catch_up(self) -> None:
        if not self._turn.acquire(timeout=LOCK_TIMEOUT_S):
            raise Unavailable("storage is busy")
        try:
            with self._journal.turn(LOCK_TIMEOUT_S):
                pass
        finally:
            self._turn.release()

    def _capture(self) -> Snapshot:
        """A copy of the state, on disk up to its position."""
        with self._turn:
            state = self._journal.state
            copy = State(state.seq, dict(state.sessions), dict(state.balances))
            position = self._journal.journal.position
        self._journal.sync_through(position.seq)
        return Snapshot(copy, position)


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
        f"{error.filename or journal_path}: cannot be used ({error.strerror}); let the user that runs Payments "
        f"read and write it, or set PAYMENTS_DATA_DIR to a folder that it can"
    )
