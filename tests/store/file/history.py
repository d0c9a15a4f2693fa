"""A journal of sixteen entries, kept with everything that it meant along the way, to be laid out and damaged."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from payments.domain.ledger import Balance
from payments.domain.sessions import END, HEARTBEAT, START, Session, SessionEvent
from payments.domain.state import State
from payments.store.file.store import FileStore
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, HOST_B, Clock, event, file_store, journal_path

NOBODYS_HOST = "198.51.100.1"
AWKWARD = "J* @Ê"
"""One flipped bit makes of each of these bytes a newline, a NUL or broken UTF-8."""

STEP_MS = 15_000

SIXTEEN = (
    ("s-1", START, HOST_A), ("s-2", START, HOST_B), ("s-1", HEARTBEAT, HOST_A), ("s-2", HEARTBEAT, HOST_B),
    (AWKWARD, START, NOBODYS_HOST), ("s-1", HEARTBEAT, HOST_A), (AWKWARD, HEARTBEAT, NOBODYS_HOST),
    ("s-1", END, HOST_A), ("s-3", START, HOST_A), ("s-1", START, HOST_A), ("s-3", HEARTBEAT, HOST_A),
    ("s-4", START, HOST_B), ("s-1", HEARTBEAT, HOST_A), ("s-2", HEARTBEAT, HOST_A), ("s-3", END, HOST_A),
    ("s-4", HEARTBEAT, HOST_B),
)  # fmt: skip

Facts: TypeAlias = tuple[int, list[Session], dict[str, Balance]]


class History(NamedTuple):
    """What was on disk and known after each of the entries; at index 0 before the first.

    Attributes:
        lines: of the journal; ``facts``, ``sessions`` and ``balances`` have one more, and the documents are bytes.
    """

    lines: list[bytes]
    facts: list[Facts]
    sessions: list[bytes]
    balances: list[bytes]

    @property
    def journal(self) -> bytes:
        return b"".join(self.lines)


def events(clock: Clock, steps: Sequence[tuple[str, str, str]] = SIXTEEN) -> list[SessionEvent]:
    """The events of ``steps``, one every ``STEP_MS`` from the time of ``clock`` on."""
    return [
        event(session_id, kind, clock.now_ms + number * STEP_MS, upstream_addr=host, streamer_id=AWKWARD)
        for number, (session_id, kind, host) in enumerate(steps)
    ]


def live(folder: Path, steps: Sequence[tuple[str, str, str]] = SIXTEEN) -> History:
    """Let a store on ``folder`` execute ``steps`` one by one, and write down what it leaves each time."""
    clock = Clock()
    store = file_store(folder, clock=clock, disk=HastyDisk())
    history = History([], [facts(store)], [_sessions(folder)], [_balances(folder)])
    for each in events(clock, steps):
        clock.now_ms = each.received_at_ms
        store.execute([each])
        history.facts.append(facts(store))
        history.sessions.append(_sessions(folder))
        history.balances.append(_balances(folder))
    store.close()
    history.lines.extend(journal_path(folder).read_bytes().splitlines(keepends=True))
    assert len(history.lines) == len(steps)
    return history


def lay(folder: Path, journal: bytes, sessions: bytes | None = None, balances: bytes | None = None) -> None:
    """Put files into ``folder`` for a store to open; what is ``None`` is not there, nor is any torn tail."""
    journal_path(folder).parent.mkdir(parents=True, exist_ok=True)
    for torn in torn_tails(folder):
        torn.unlink()
    files = {journal_path(folder): journal, folder / "sessions.json": sessions, folder / "balances.json": balances}
    for path, data in files.items():
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
    state: State = store.view()
    return state.seq, list(state.sessions.values()), dict(state.balances)


def torn_tails(folder: Path) -> list[Path]:
    """The files with what was set aside."""
    return sorted(journal_path(folder).parent.glob("*.torn-*"))


def _sessions(folder: Path) -> bytes:
    return (folder / "sessions.json").read_bytes()


def _balances(folder: Path) -> bytes:
    return (folder / "balances.json").read_bytes()
