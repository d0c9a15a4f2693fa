"""A journal of sixteen entries, with the files and facts after each, to be written and damaged by tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from payments.domain.commands import Command
from payments.domain.ledger import Balance
from payments.domain.readings import AWAKE, UNKNOWN, PowerState, Reading
from payments.domain.sessions import END, EVENTS, HEARTBEAT, START, Session
from payments.domain.state import State
from payments.store.file.store import FileStore
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, HOST_B, TERMS, Clock, event, file_store, journal_path, projections, show_all, state_of

NOBODYS_HOST = "198.51.100.1"
AWKWARD = "J* @Ê"
"""Bytes that one flipped bit turns into a newline, a NUL or broken UTF-8."""

STEP_MS = 15_000

Steps: TypeAlias = Sequence[tuple[str, str, str]]
"""Session, event and host; or orchestrator, power state and the detail of a reading."""

SIXTEEN: Steps = (
    ("s-1", START, HOST_A), ("s-2", START, HOST_B), ("s-1", HEARTBEAT, HOST_A), ("s-2", HEARTBEAT, HOST_B),
    (AWKWARD, START, NOBODYS_HOST), ("orch-a", AWAKE, ""), (AWKWARD, HEARTBEAT, NOBODYS_HOST),
    ("s-1", END, HOST_A), ("s-3", START, HOST_A), ("s-1", START, HOST_A), ("orch-a", AWAKE, ""),
    ("s-4", START, HOST_B), ("orch-b", UNKNOWN, AWKWARD), ("s-2", HEARTBEAT, HOST_A), ("s-3", END, HOST_A),
    ("s-4", HEARTBEAT, HOST_B),
)  # fmt: skip

Facts: TypeAlias = tuple[int, list[Session], dict[str, Balance], dict[str, PowerState]]


class ProjectionContents(NamedTuple):
    """Contents of the projections; ``None``: no file."""

    sessions: bytes | None = None
    balances: bytes | None = None
    power_meter: bytes | None = None


NOTHING = ProjectionContents()


class History(NamedTuple):
    """Files and facts after each entry; at index 0, before the first.

    Attributes:
        lines: lines of the journal; ``facts`` and ``shown`` have one item more.
    """

    lines: list[bytes]
    facts: list[Facts]
    shown: list[ProjectionContents]

    @property
    def journal(self) -> bytes:
        return b"".join(self.lines)


def commands(clock: Clock, steps: Steps = SIXTEEN) -> list[Command]:
    """Commands of ``steps``, one every ``STEP_MS``, starting at the time of ``clock``."""
    told: list[Command] = []
    for number, (subject, kind, place) in enumerate(steps):
        at_ms = clock.now_ms + number * STEP_MS
        if kind in EVENTS:
            told.append(event(subject, kind, at_ms, upstream_addr=place, streamer_id=AWKWARD))
        else:
            told.append(Reading(subject, kind, at_ms, place or None))
    return told


def live(folder: Path, steps: Steps = SIXTEEN) -> History:
    """Let a store on ``folder`` execute ``steps`` one by one, and keep files and facts after each."""
    clock = Clock()
    store = file_store(folder, TERMS._replace(power_rate_wei_per_minute=10**15), clock, HastyDisk())
    show_all(store, folder)
    history = History([], [facts(store)], [shown(folder)])
    for each in commands(clock, steps):
        store.execute([each])
        clock.now_ms += STEP_MS
        show_all(store, folder)
        history.facts.append(facts(store))
        history.shown.append(shown(folder))
    store.close()
    history.lines.extend(journal_path(folder).read_bytes().splitlines(keepends=True))
    assert len(history.lines) == len(steps)
    return history


def shown(folder: Path) -> ProjectionContents:
    """The projections in ``folder``; all must exist."""
    return ProjectionContents._make(path.read_bytes() for path in projections(folder))


def lay(folder: Path, journal: bytes, documents: ProjectionContents = NOTHING) -> None:
    """Write files for a store into ``folder``, and remove parts set aside before."""
    journal_path(folder).parent.mkdir(parents=True, exist_ok=True)
    for torn in torn_tails(folder):
        torn.unlink()
    put(journal_path(folder), journal)
    for path, data in zip(projections(folder), documents, strict=True):
        put(path, data)


def put(path: Path, data: bytes | None) -> None:
    """Replace the file with ``data``, or remove it. Overwriting would make ext4 write to the disk."""
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)


def opened(folder: Path) -> Facts:
    """Facts of a store that starts on ``folder``."""
    store = file_store(folder, disk=HastyDisk())
    try:
        return facts(store)
    finally:
        store.close()


def facts(store: FileStore) -> Facts:
    """Everything in the store's current state, in order."""
    state: State = state_of(store)
    return state.seq, list(state.sessions.values()), dict(state.balances), dict(state.power)


def torn_tails(folder: Path) -> list[Path]:
    """Files with parts that were set aside."""
    return sorted(journal_path(folder).parent.glob("*.torn-*"))
