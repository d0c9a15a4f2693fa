"""A life of an edge that is killed at any of its file operations, and the life after it."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from payments.disk import Disk
from payments.domain.decisions import RECORDED, Outcome
from payments.domain.sessions import END, START, SessionEvent
from payments.edge.lines import Spooled
from payments.events import load_event
from payments.store.memory import MemoryStore
from tests.disk.scripted import HastyDisk
from tests.edge.edge import ROOM, Edge, edge
from tests.edge.spools import AWAY
from tests.harness import NOON_MS, Clock, memory_store, state_of

SMALL = 1 << 13
"""A spool that is soon full: files of 512 bytes, 13 heartbeats in all."""


class Killed(BaseException):
    """The process is dead."""


class Deadly(HastyDisk):
    """Kills its process at a file operation; nothing that it does afterwards has any effect.

    Attributes:
        operations: how many there were that change something.
    """

    def __init__(self, kill_at: int | None = None, *, half_done: bool = False) -> None:
        """``kill_at``: the number of the operation, from 0. It is not done; a write may be ``half_done``."""
        self.operations = 0
        self._kill_at = kill_at
        self._half_done = half_done

    def make_folder(self, path: Path) -> None:
        self._step()
        super().make_folder(path)

    def open(self, path: Path, flags: int) -> int:
        self._step()
        return super().open(path, flags)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.operations == self._kill_at and self._half_done:
            super().write(descriptor, data[: len(data) // 2])
        self._step()
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._step()

    def truncate(self, descriptor: int, size: int) -> None:
        self._step()
        super().truncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def sync_folder(self, path: Path) -> None:
        self._step()

    def _step(self) -> None:
        if self._kill_at is not None and self.operations >= self._kill_at:
            raise Killed
        self.operations += 1


class Told(NamedTuple):
    """An event that was safe in the spool, as far as its edge knew."""

    session_id: str
    kind: str
    occurred_ms: int


class Payments:
    """The rules, without HTTP.

    Attributes:
        recorded: the events that counted, by session and in their order.
        taken: all that came, with how many file operations there had been.
    """

    def __init__(self, clock: Clock) -> None:
        self.recorded: dict[str, list[Told]] = {}
        self.taken: list[tuple[int, SessionEvent]] = []
        self.store: MemoryStore = memory_store(clock=clock)
        self._clock = clock

    def take(self, events: Sequence[Spooled], operations: int = 0) -> None:
        for each in events:
            self.decide(load_event(json.loads(each.body), self._clock()), operations)

    def decide(self, event: SessionEvent, operations: int = 0) -> None:
        self.taken.append((operations, event))
        (outcome,) = self.store.execute([event])
        assert isinstance(outcome, Outcome)
        if outcome.kind == RECORDED:
            assert event.occurred_at_ms is not None
            said = Told(event.session_id, event.event, event.occurred_at_ms)
            self.recorded.setdefault(event.session_id, []).append(said)


class Story:
    """What happens to an edge, and what it may rely on.

    Attributes:
        told: the events of which ``add`` has returned, in their order; ``synced``: those of which ``sync`` has, each
            with how many file operations there had been.
        payments: what was delivered.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.payments = Payments(self.clock)
        self.told: list[Told] = []
        self.synced: list[tuple[int, Told]] = []
        self.operations: Callable[[], int] = lambda: 0

    def live(self, disk: Disk) -> None:
        """A life with all that can happen: deliveries, an absence that fills the spool, ends and starts."""
        life = Edge(self.folder, AWAY, self.clock, disk, SMALL)
        try:
            life.spool.open()
            sessions = [life.begin() for _ in range(3)]
            self._pass(life, 16)
            self._deliver(life, 2)
            self._pass(life, 30)
            sessions[0].end()
            self._deliver(life, 100)
            self._pass(life, 150)
            sessions[1].end()
            sessions.append(life.begin())
            self._pass(life, 60)
            self._deliver(life, 3)
            self._pass(life, 30)
            sessions[3].end()
            self._write(life)
            self._deliver(life, 4)
        except Killed:
            pass
        finally:
            with suppress(Killed):
                life.spool.close()
            life.caller.close()

    def live_on(self) -> None:
        """The life after it: everything is delivered."""
        with edge(self.folder, AWAY, self.clock, most_bytes=SMALL) as life:
            life.write()
            self._deliver(life, 1000)
            assert life.spool.pending == 0
            assert life.spool.trouble is None

    def check(self) -> None:
        """Every session that was told of has its start and its end, once, and all of its time."""
        last = {each.session_id: each for each in self.told}
        assert last.keys() <= self.payments.recorded.keys()
        for name, events in self.payments.recorded.items():
            kinds = [each.kind for each in events]
            assert (kinds[0], kinds[-1]) == (START, END), kinds
            assert (kinds.count(START), kinds.count(END)) == (1, 1), kinds
            moments = [each.occurred_ms for each in events]
            assert moments == sorted(moments)
            session = state_of(self.payments.store).sessions[name]
            assert session.billed_ms == moments[-1] - moments[0]
            if name in last:
                begun_ms = next(each.occurred_ms for each in self.told if each.session_id == name)
                assert moments[0] == begun_ms
                assert moments[-1] >= last[name].occurred_ms
                if last[name].kind == END:
                    assert moments[-1] == last[name].occurred_ms

    def _deliver(self, life: Edge, most_events: int) -> None:
        events = life.spool.batch(most_events, ROOM)
        self.payments.take(events, self.operations())
        life.spool.settle(events, events, [])

    def _pass(self, life: Edge, seconds: int) -> None:
        for _ in range(seconds // 3):
            self.clock.now_ms += 3000
            self._write(life)

    def _write(self, life: Edge) -> None:
        life.sessions.beat()
        events, life.inbox[:] = list(life.inbox), []
        life.spool.add(events)
        told = [Told(each.session_id, each.kind, each.occurred_ms) for each in events]
        self.told += told
        life.spool.sync()
        self.synced += [(self.operations(), each) for each in told]


def operations(folder: Path) -> int:
    """How many file operations a life has that nobody ends."""
    disk = Deadly()
    story = Story(folder)
    story.live(disk)
    assert story.clock.now_ms > NOON_MS
    return disk.operations
