"""The interfaces that every engine implements, and the records that they exchange."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from payments.domain.commands import Command
from payments.domain.decisions import Outcome, Terms
from payments.domain.entries import JSON, Entry
from payments.domain.ledger import Balance
from payments.domain.overview import Totals
from payments.domain.readings import PowerState
from payments.domain.retention import Retention
from payments.domain.sessions import ENDED, Session
from payments.errors import Rejected

T = TypeVar("T")

Result: TypeAlias = Outcome | Rejected
Clock: TypeAlias = Callable[[], int]
TermsSource: TypeAlias = Callable[[], Terms]


class EntryQuery(NamedTuple):
    """Which entries to find; ``None`` matches any.

    Attributes:
        since_ms: recorded at this moment or later.
        until_ms: recorded before this moment.
    """

    orchestrator_id: str | None = None
    reason: str | None = None
    session_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, entry: Entry) -> bool:
        """Whether ``entry`` meets every condition."""
        return (
            self.orchestrator_id in (None, entry.orchestrator_id)
            and self.reason in (None, entry.reason)
            and self.session_id in (None, entry.metadata.get("session_id"))
            and (self.since_ms is None or self.since_ms <= entry.timestamp_ms)
            and (self.until_ms is None or entry.timestamp_ms < self.until_ms)
        )


class SessionQuery(NamedTuple):
    """Which sessions to find; ``None`` matches any.

    Attributes:
        status: ``Session.status_at`` for ``now_ms`` and ``idle_timeout_ms``.
        active_only: leave out ended sessions.
    """

    orchestrator_id: str | None = None
    edge_id: str | None = None
    status: str | None = None
    active_only: bool = False
    now_ms: int = 0
    idle_timeout_ms: int = 0

    def matches(self, session: Session) -> bool:
        """Whether ``session`` meets every condition."""
        return (
            self.orchestrator_id in (None, session.orchestrator_id)
            and self.edge_id in (None, session.edge_id)
            and not (self.active_only and session.status == ENDED)
            and (self.status is None or self.status == session.status_at(self.now_ms, self.idle_timeout_ms))
        )


class Page(NamedTuple, Generic[T]):
    """One page of results, newest first.

    Attributes:
        before: cursor to pass as ``before`` for the next page; ``None`` when the search is complete. A short or empty
            page may have one, because a search stops after a bounded amount of work.
    """

    items: Sequence[T]
    before: str | None


class Commit(NamedTuple):
    """Measurements of one commit, for metrics.

    Attributes:
        entries: how many were recorded; at least one.
        wait_s: time until this process had the lock and had read what others wrote.
        seconds: time from then until the entries were on disk.
    """

    entries: int
    wait_s: float
    seconds: float


Observer: TypeAlias = Callable[[Commit], None]
"""Called once per commit, by the thread that all callers wait for: must be fast and must not raise."""


def unobserved(_: Commit) -> None:
    """An ``Observer`` that does nothing."""


class Store(Protocol):
    """The ledger: one way to change it, and queries. Every method may raise ``Unavailable`` or ``Corrupt``.

    Queries show every acknowledged command, whichever process acknowledged it.
    """

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        """Decide ``commands`` in order and record their entries; durable when it returns (rule 3.4).

        The result of a refused command is its ``Rejected``; the other commands are executed all the same.
        """

    def session(self, session_id: str) -> Session | None:
        """The session; ``None`` if it is not known or was purged."""

    def sessions(self, query: SessionQuery, *, before: str | None = None, limit: int = 50) -> Page[Session]:
        """Sessions, the last opened first. Raises ``Rejected`` if ``before`` is not a cursor."""

    def balance(self, orchestrator_id: str) -> Balance | None:
        """What the orchestrator is owed; ``None`` if its balance never changed."""

    def balances(self) -> Sequence[Balance]:
        """Every balance, sorted by orchestrator."""

    def powers(self) -> Sequence[PowerState]:
        """The power state of every orchestrator that was ever asked, sorted by orchestrator."""

    def due(self, now_ms: int, close_after_ms: int, purge_after_ms: int, limit: int) -> Sequence[Retention]:
        """The retention commands that are due, at most ``limit`` (see ``domain.retention.retention_due``)."""

    def totals(self, now_ms: int, idle_timeout_ms: int) -> Totals:
        """Counts and sums over the whole ledger, without scanning it."""

    def entries(self, query: EntryQuery, *, before: str | None = None, limit: int = 200) -> Page[Entry]:
        """Entries, newest first. Raises ``Rejected`` if ``before`` is not a cursor."""

    def check(self) -> dict[str, JSON]:
        """Details for a readiness probe. Raises ``Unavailable`` if a command would fail now. Never waits."""

    def maintain(self) -> None:
        """Housekeeping, such as compression, that takes seconds or minutes and leaves the entries as they are.

        For the worker, not for requests. Returns at once if another process is doing it.
        """

    def refresh(self) -> None:
        """Update the projections with what other processes recorded."""

    def close(self) -> None:
        """Update the projections and release all resources."""


class Verified(NamedTuple):
    """What a successful ``verify`` has read.

    Attributes:
        entries: in the journal.
        segments: files of the journal.
        bytes: the size of their lines, uncompressed.
        sessions: how many are known at the end of the journal.
        balances_wei: the sum of the entries by orchestrator.
        compared: by projection, the ``seq`` up to which it shows the journal correctly; missing ones are left out.
    """

    entries: int
    segments: int
    bytes: int
    sessions: int
    balances_wei: Mapping[str, int]
    compared: Mapping[str, int]


class Lease(Protocol):
    """A lock on a role, such as that of the worker, that only one process should have.

    Not thread-safe; callers must serialise.
    """

    def try_acquire(self) -> bool:
        """Take the lease if it is free; whether this process has it now, until ``close``. Raises ``OSError``."""

    def publish(self, status: Mapping[str, JSON]) -> None:
        """Make ``status`` what ``Engine.published`` returns. Raises ``OSError``."""

    def close(self) -> None:
        """Release the lease."""


class Backup(Protocol):
    """The ledger as it was when this was opened, and the documents beside it. Must be closed."""

    def write(self, folder: Path) -> Verified:
        """Write a verified backup into ``folder``, which must not exist yet; on disk when this returns.

        Raises ``Unavailable``, and ``Corrupt`` if the ledger is damaged; the unfinished copy then stays.
        """

    def close(self) -> None:
        """Release all resources."""


class Restored(NamedTuple):
    """The result of a restore.

    Attributes:
        verified: what was restored.
        aside: the folders into which the previous files were moved.
    """

    verified: Verified
    aside: Sequence[Path]


class Restoration(Protocol):
    """An open backup to restore. Must be closed."""

    def run(self) -> Restored:
        """Copy the backup, verify the copy, then move the current files aside and put the copy in their place.

        Raises ``Corrupt``, and ``Unavailable``, among others if any process has the ledger open.
        """

    def close(self) -> None:
        """Release all resources."""


class Engine(Protocol):
    """Access to one ledger, open or not. ``str(engine)`` says where it is, for messages."""

    def exists(self) -> bool:
        """Whether there is a journal."""

    def obstacles(self) -> list[str]:
        """One message for each problem that would make ``open`` fail. Changes nothing."""

    def warnings(self) -> list[str]:
        """One message for each problem that ``open`` would warn of. Changes nothing."""

    def check_user(self) -> None:
        """Raises ``Misconfigured`` if files made by this user would be unreadable for the ledger's owner."""

    def folder(self) -> Path | None:
        """The local folder that holds the ledger; ``None`` if there is none."""

    def uses(self, path: Path) -> bool:
        """Whether ``path`` is one of the ledger's files."""

    def free_bytes(self) -> int | None:
        """The space left for the journal; ``None`` if unknown."""

    def open(self, terms: TermsSource, clock: Clock, observe: Observer = unobserved) -> Store:
        """The store, recovered and ready. Raises ``Corrupt``, ``Misconfigured`` and ``Unavailable``."""

    def export(self, query: EntryQuery, *, money_only: bool) -> AbstractContextManager[Iterator[Mapping[str, Any]]]:
        """The matching entries as ``entry_record`` makes them, oldest first. Writers may go on meanwhile.

        Raises ``Misconfigured``, ``Unavailable`` and ``Corrupt``, as does the iterator.
        """

    def verify(self) -> Verified:
        """Check the consistency of the whole journal and its projections. Writes nothing; writers may go on meanwhile.

        Raises ``Unavailable``, and ``Corrupt`` with file and line of the first fault.
        """

    def backup(self, documents: Mapping[str, Path]) -> Backup:
        """A backup to write; writers may go on meanwhile. Raises ``Misconfigured`` and ``Corrupt``.

        ``documents`` are further files to include, by their names in the backup.
        """

    def restoration(self, folder: Path, documents: Mapping[str, Path]) -> Restoration:
        """The backup in ``folder``, to restore; ``documents`` as for ``backup``. Raises ``Misconfigured``."""

    def lease(self, name: str) -> Lease:
        """The lease on the role ``name``, not acquired yet. Raises ``Misconfigured``."""

    def published(self, name: str) -> Any:
        """The status last published for the role ``name``, as JSON; ``None`` if there is none or it cannot be read."""
