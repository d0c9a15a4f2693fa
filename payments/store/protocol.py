"""What every engine offers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from payments.domain.commands import Command
from payments.domain.decisions import Outcome, Terms
from payments.domain.entries import JSON, Entry
from payments.domain.state import State
from payments.errors import Rejected

Result: TypeAlias = Outcome | Rejected
Clock: TypeAlias = Callable[[], int]
TermsSource: TypeAlias = Callable[[], Terms]


class Query(NamedTuple):
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


class Page(NamedTuple):
    """Entries found, newest first.

    Attributes:
        before: where to go on searching: the ``before`` of the next call; ``None`` when the search is complete. A page
            may be short, or empty, and still have one: the search stops after a bounded number of entries.
    """

    entries: Sequence[Entry]
    before: int | None


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
"""Called once a commit, by the thread that all callers wait for: it takes no time, and raises nothing."""


def unobserved(_: Commit) -> None:
    """Nobody keeps count."""


class Execution(Protocol):
    """Commands on their way."""

    @property
    def due_s(self) -> float:
        """When ``results`` stops to wait, by ``clock.monotonic_s``."""

    def results(self) -> Sequence[Result]:
        """One for each command, as ``Store.execute`` has them; waits for them. Raises ``Unavailable``, ``Corrupt``."""


class Store(Protocol):
    """The journal, its state, and the one way to change them. Every method may raise ``Unavailable`` or ``Corrupt``."""

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        """Decide ``commands`` one after the other and record what they become; durable when it returns.

        A command that is ``Rejected`` gets that as its result and leaves the others alone.
        """

    def submit(self, commands: Sequence[Command], when_done: Callable[[], None]) -> Execution:
        """As ``execute``, but for somebody who waits for the results later, or elsewhere.

        ``when_done`` is called, by any thread, as soon as it is known what ``results`` returns or raises: it takes no
        time, and raises nothing. That may be after ``due_s``, or never.
        """

    def view(self) -> State:
        """The state after every acknowledged command, whichever process acknowledged it. Read only."""

    def entries(self, query: Query, *, before: int | None = None, limit: int = 200) -> Page:
        """Entries with a ``seq`` below ``before`` (``None``: from the newest), newest first, at most ``limit``."""

    def check(self) -> dict[str, JSON]:
        """What a readiness probe wants to know; raises ``Unavailable`` when a command would fail now."""

    def maintain(self) -> None:
        """Rare upkeep that takes its time, seconds or minutes, and changes nothing that anyone sees of the entries.

        For the worker, not for a request. Where another process is at it, it returns at once.
        """

    def refresh(self) -> None:
        """Bring what is made from the entries for others to read up to date, though nobody here executes anything."""

    def close(self) -> None:
        """Leave the projections up to date, and let go of everything."""
