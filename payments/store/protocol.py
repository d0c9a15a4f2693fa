"""What every engine offers."""

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
    """Which entries to look for; ``None`` asks for any.

    Attributes:
        since_ms, until_ms: bounds of the time of recording, ``since`` included, ``until`` not.
    """

    orchestrator_id: str | None = None
    reason: str | None = None
    session_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, entry: Entry) -> bool:
        """Whether ``entry`` is one of those asked for."""
        return (
            self.orchestrator_id in (None, entry.orchestrator_id)
            and self.reason in (None, entry.reason)
            and self.session_id in (None, entry.metadata.get("session_id"))
            and (self.since_ms is None or self.since_ms <= entry.timestamp_ms)
            and (self.until_ms is None or entry.timestamp_ms < self.until_ms)
        )


class SessionQuery(NamedTuple):
    """Which sessions to look for; ``None`` asks for any.

    Attributes:
        status: as it is at ``now_ms`` for readers who call a session stale after ``idle_timeout_ms`` of silence.
        active_only: leave out those that have ended.
    """

    orchestrator_id: str | None = None
    edge_id: str | None = None
    status: str | None = None
    active_only: bool = False
    now_ms: int = 0
    idle_timeout_ms: int = 0

    def matches(self, session: Session) -> bool:
        """Whether ``session`` is one of those asked for."""
        return (
            self.orchestrator_id in (None, session.orchestrator_id)
            and self.edge_id in (None, session.edge_id)
            and not (self.active_only and session.status == ENDED)
            and (self.status is None or self.status == session.status_at(self.now_ms, self.idle_timeout_ms))
        )


class Page(NamedTuple, Generic[T]):
    """What was found, newest first.

    Attributes:
        before: the cursor of the next page, for the ``before`` of the next call; ``None`` when the search is complete.
            A page may be short, or empty, and still have one: a search stops after a bounded amount of work.
    """

    items: Sequence[T]
    before: str | None


class Commit(NamedTuple):
    """How one group of commands was recorded, for whoever keeps count.

    Attributes:
        entries: how many it was; at least one.
        wait_s: until this process had the lock, and had read what others wrote.
        seconds: from there on until all of it was on disk.
    """

    entries: int
    wait_s: float
    seconds: float


Observer: TypeAlias = Callable[[Commit], None]
"""Called once per commit by the thread that all callers wait for, so it must be quick and must not raise."""


def unobserved(_: Commit) -> None:
    """Nobody keeps count."""


class Store(Protocol):
    """The ledger: one way to change it, and queries. Every method may raise ``Unavailable`` or ``Corrupt``.

    Queries show every acknowledged command, whichever process acknowledged it.
    """

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        """Decide ``commands`` one after the other and record what they become; durable when it returns (rule 3.4).

        A command that is ``Rejected`` gets that as its result and leaves the others alone.
        """

    def session(self, session_id: str) -> Session | None:
        """The session, unless it is unknown or forgotten."""

    def sessions(self, query: SessionQuery, *, before: str | None = None, limit: int = 50) -> Page[Session]:
        """Sessions in the reverse order of their opening. Raises ``Rejected`` for a ``before`` that is no cursor."""

    def balance(self, orchestrator_id: str) -> Balance | None:
        """What the orchestrator is owed; ``None`` if nothing ever moved its balance."""

    def balances(self) -> Sequence[Balance]:
        """Every balance, sorted by orchestrator."""

    def powers(self) -> Sequence[PowerState]:
        """The power state of every orchestrator that was ever asked, sorted by orchestrator."""

    def due(self, now_ms: int, close_after_ms: int, purge_after_ms: int, limit: int) -> Sequence[Retention]:
        """At most ``limit`` of the upkeep commands that are due (``domain.retention.retention_due``)."""

    def totals(self, now_ms: int, idle_timeout_ms: int) -> Totals:
        """Counts and sums over everything, without walking through it."""

    def entries(self, query: EntryQuery, *, before: str | None = None, limit: int = 200) -> Page[Entry]:
        """Entries, newest first. Raises ``Rejected`` for a ``before`` that is no cursor."""

    def check(self) -> dict[str, JSON]:
        """What a readiness probe wants to know; raises ``Unavailable`` when a command would fail now. Never waits."""

    def maintain(self) -> None:
        """Rare upkeep that takes seconds or minutes and changes nothing that anyone sees of the entries.

        For the worker, not for a request. Returns at once where another process is doing it.
        """

    def refresh(self) -> None:
        """Bring what is made from the entries for others to read up to date, though nobody here executes anything."""

    def close(self) -> None:
        """Leave the projections up to date, and let go of everything."""


class Verified(NamedTuple):
    """What ``verify`` found to hold together.

    Attributes:
        segments, bytes: how much was read.
        sessions: how many are not forgotten.
        balances_wei: what the entries add up to, by orchestrator.
        compared: up to which ``seq`` each projection shows the journal, and rightly so; a missing one is not in it.
    """

    entries: int
    segments: int
    bytes: int
    sessions: int
    balances_wei: Mapping[str, int]
    compared: Mapping[str, int]


class Lease(Protocol):
    """One process's claim to a duty that only one should have. Not thread-safe; callers must serialise."""

    def try_acquire(self) -> bool:
        """Whether this process has the lease now; it keeps it until ``close``. Raises ``OSError``."""

    def publish(self, status: Mapping[str, JSON]) -> None:
        """Let others read ``status`` by ``Engine.published``. Raises ``OSError``."""

    def close(self) -> None:
        """Let another process have it."""


class Backup(Protocol):
    """The ledger as it was when this was opened, and the documents beside it; to be closed."""

    def write(self, folder: Path) -> Verified:
        """Make ``folder``, which must not be there yet, a verified backup; on disk when this returns.

        Raises ``Unavailable``, and ``Corrupt`` where the ledger is damaged: the copy then stays, unfinished.
        """

    def close(self) -> None:
        """Let go of everything."""


class Restored(NamedTuple):
    """What was put back, and the folders that have what stood there before."""

    verified: Verified
    aside: Sequence[Path]


class Restoration(Protocol):
    """A backup, open to be put back; to be closed."""

    def run(self) -> Restored:
        """Put it in place of what is there, which is set aside; nothing changes before it is on disk and verified.

        Raises ``Unavailable``, also where anything has the ledger open, and ``Corrupt``.
        """

    def close(self) -> None:
        """Let go of everything."""


class Engine(Protocol):
    """Where a ledger is kept, whether or not anybody has it open. ``str`` says where, for messages."""

    def exists(self) -> bool:
        """Whether a journal was ever begun here."""

    def obstacles(self) -> list[str]:
        """What would stop ``open``, one problem each; nothing is made or changed to find out."""

    def warnings(self) -> list[str]:
        """What ``open`` would warn of."""

    def check_user(self) -> None:
        """Raises ``Misconfigured`` where this user would leave files that the ledger's owner could not read."""

    def folder(self) -> Path | None:
        """The folder on this machine that holds the ledger; ``None`` where none does."""

    def uses(self, path: Path) -> bool:
        """Whether ``path`` is one of the files that the ledger is kept in."""

    def free_bytes(self) -> int | None:
        """The space left for the journal; ``None`` where that is unknown."""

    def open(self, terms: TermsSource, clock: Clock, observe: Observer = unobserved) -> Store:
        """The store, recovered and ready. Raises ``Corrupt``, ``Misconfigured`` and ``Unavailable``."""

    def export(self, query: EntryQuery, *, money_only: bool) -> AbstractContextManager[Iterator[Mapping[str, Any]]]:
        """The entries that match, oldest first, as ``entry_record`` shows them, beside whatever runs.

        Raises ``Misconfigured``, ``Unavailable`` and ``Corrupt``, and so does the iterator.
        """

    def verify(self) -> Verified:
        """Hold the whole journal against itself and its projections, beside whatever runs; writes nothing.

        Raises ``Corrupt``, naming file and line of the first fault, and ``Unavailable``.
        """

    def backup(self, documents: Mapping[str, Path]) -> Backup:
        """A copy to be written, beside whatever runs; ``documents`` belong to it, by their names in the backup.

        Raises ``Misconfigured`` and ``Corrupt``.
        """

    def restoration(self, folder: Path, documents: Mapping[str, Path]) -> Restoration:
        """The backup in ``folder``, to be put back; ``documents`` as for ``backup``. Raises ``Misconfigured``."""

    def lease(self, name: str) -> Lease:
        """A claim to the duty ``name``, not acquired yet. Raises ``Misconfigured``."""

    def published(self, name: str) -> Any:
        """The status last published for the duty ``name``; ``None`` where there is none that can be read."""
