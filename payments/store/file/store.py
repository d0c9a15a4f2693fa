"""The engine as its users see it: callers' commands in groups, one commit for each group."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

from payments.clock import monotonic_s
from payments.disk import Disk
from payments.domain.commands import Command, decide
from payments.domain.decisions import Terms
from payments.domain.entries import JSON, Entry
from payments.domain.state import State, evolve
from payments.errors import Misconfigured, Rejected, Unavailable
from payments.store.file import reader
from payments.store.file.ahead import PIECE_ENTRIES
from payments.store.file.committer import Committer, Ticket, TimedOut
from payments.store.file.compression import compress_sealed
from payments.store.file.projector import Projector
from payments.store.file.shared import KEPT, SharedJournal
from payments.store.file.snapshot import Paths, Snapshot
from payments.store.protocol import Clock, Commit, Observer, Page, Query, Result, TermsSource, unobserved

LOCK_TIMEOUT_S = 5.0
"""How long a request waits for its turn before it is told to come again."""

T = TypeVar("T")
Look: TypeAlias = Callable[[], object]


class _Request(Ticket):
    """What one caller wants of the journal: commands carried out, and then a look at it.

    Attributes:
        results: one per command; ``look`` is called between commits, when all is on disk and in the state.
        seq: of the last entry that the results rest on.
    """

    __slots__ = ("commands", "look", "results", "seq")

    def __init__(
        self,
        commands: Sequence[Command] = (),
        look: Look | None = None,
        when_done: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(when_done)
        self.commands = commands
        self.look = look
        self.results: list[Result] = []
        self.seq = 0


class _Execution(NamedTuple):
    request: _Request
    results_of: Callable[[_Request], Sequence[Result]]

    @property
    def due_s(self) -> float:
        return self.request.due_s

    def results(self) -> Sequence[Result]:
        return self.results_of(self.request)


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
        try:
            self._journal = SharedJournal(disk, journal_path, projections, clock, segment_bytes)
            self._committer = Committer(self._serve)
            self._projector = Projector(disk, projections, self._capture, credit_unit)
            self._projector.write(self._journal.state.seq, must=self._journal.rebuilt)
        except OSError as error:
            raise Misconfigured(_unusable(error, journal_path)) from error

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        return self.submit(commands).results()

    def submit(self, commands: Sequence[Command], when_done: Callable[[], None] | None = None) -> "_Execution":
        request = self._committer.submit(_Request(commands, when_done=when_done), LOCK_TIMEOUT_S)
        return _Execution(request, self._results)

    def view(self) -> State:
        if not self._journal.is_read_up:
            self._ask(_Request())
        return self._journal.state

    def entries(self, query: Query, *, before: int | None = None, limit: int = 200) -> Page:
        end = self._look(self._journal.journal.end)
        try:
            return reader.read_page(end, query, before, limit)
        except OSError as error:
            raise Unavailable(f"the journal cannot be read ({error.strerror})", retry_after_s=5) from error
        finally:
            os.close(end.descriptor)

    def check(self) -> dict[str, JSON]:
        # Always with the lock: whether a command would get it is the question.
        seq = self._look(lambda: self._journal.state.seq)
        self._journal.check_room()
        return {"engine": "file", "seq": seq}

    def maintain(self) -> None:
        compress_sealed(self._journal.journal.disk, self._journal.journal.path)

    def refresh(self) -> None:
        state = self.view()
        self._projector.follow(state.seq, state.record_count)

    def close(self) -> None:
        self._projector.close(self._journal.state.seq)
        # A thread that still waits for the lock keeps what it needs.
        if self._committer.close(LOCK_TIMEOUT_S):
            self._journal.close()

    def _results(self, request: _Request) -> Sequence[Result]:
        self._wait(request)
        self._projector.follow(request.seq, self._journal.state.record_count)
        return request.results

    def _ask(self, request: _Request) -> None:
        self._wait(self._committer.submit(request, LOCK_TIMEOUT_S))

    def _wait(self, request: _Request) -> None:
        try:
            request.wait()
        except TimedOut:
            why = f"the journal's lock {KEPT}" if self._journal.waits else "storage is busy"
            raise Unavailable(f"{why}; nothing is recorded unless it says so when asked again") from None

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
                for command in request.commands:
                    request.results.append(_decide(command, draft, terms, now_ms, entries))
                    if len(entries) >= PIECE_ENTRIES:
                        # Those who wait for the lock decode them meanwhile.
                        self._journal.record(entries, draft)
                        entries.clear()
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
        f"{error.filename or journal_path}: cannot be used ({error.strerror}); let the user that runs Payments "
        f"read and write it, or set PAYMENTS_DATA_DIR to a folder that it can"
    )
