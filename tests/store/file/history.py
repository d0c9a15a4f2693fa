"""A journal of sixteen entries, kept with everything that it meant along the way, to be laid out and damaged."""

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
"""One flipped bit makes of each of these bytes a newline, a NUL or broken UTF-8."""

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
    """What the projections hold; ``None``: there is none."""

    sessions: bytes | None = None
    balances: bytes | None = None
    power_meter: bytes | None = None


NOTHING = ProjectionContents()


class History(NamedTuple):
    """What was on disk and known after each of the entries; at index 0 before the first.

    Attributes:
        lines: of the journal; ``facts`` and ``shown`` have one more.
    """

    lines: list[bytes]
    facts: list[Facts]
    shown: list[ProjectionContents]

    @property
    def journal(self) -> bytes:
        return b"".join(self.lines)


def commands(clock: Clock, steps: Steps = SIXTEEN) -> list[Command]:
    """The commands of ``steps``, one every ``STEP_MS`` from the time of ``clock`` on."""
    told: list[Command] = []
    for number, (subject, kind, place) in enumerate(steps):
        at_ms = clock.now_ms + number * STEP_MS
        if kind in EVENTS:
            told.append(event(subject, kind, at_ms, upstream_addr=place, streamer_id=AWKWARD))
        else:
            told.append(Reading(subject, kind, at_ms, place or None))
    return told


def live(folder: Path, steps: Steps = SIXTEEN) -> History:
    """Let a store on ``folder`` execute ``steps`` one by one, and write down what it leaves each time."""
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
    """The projections in ``folder``, all of which must be there."""
    return ProjectionContents._make(path.read_bytes() for path in projections(folder))


def lay(folder: Path, journal: bytes, documents: ProjectionContents = NOTHING) -> None:
    """Put files into ``folder`` for a store to open, and see to it that there is no torn tail."""
    journal_path(folder).parent.mkdir(parents=True, exist_ok=True)
    for torn in torn_tails(folder):
        torn.unlink()
    put(journal_path(folder), journal)
    for path, data in zip(projections(folder), documents, strict=True):
        put(path, data)


def put(path: Path, data: bytes | None) -> None:
    """Make a new file of ``data``, or see to it that there is none. Overwriting would make ext4 write to the disk."""
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)


def opened(folder: Path) -> Facts:
    """What a store that starts on ``folder`` knows."""
    store = file_store(folder, disk=HastyDisk())
    try:
        return facts(store)
    finally:
        store.close()


def facts(store: FileStore) -> Facts:
    """Everything that the store's state holds, in order, as it is now."""
    state: State = state_of(store)
    return state.seq, list(state.sessions.values()), dict(state.balances), dict(state.power)


def torn_tails(folder: Path) -> list[Path]:
    """The files with what was set aside."""
    return sorted(journal_path(folder).parent.glob("*.torn-*"))
