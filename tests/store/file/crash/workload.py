"""Writers that share a journal, one running at a time, in an order that a seed repeats."""

import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

from payments.domain.commands import Command
from payments.domain.entries import SESSION_FORGOTTEN, SESSION_REAPED, Entry
from payments.domain.readings import AWAKE, UNKNOWN, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import END, HEARTBEAT, START
from payments.errors import Unavailable
from payments.store.file.projector import Projector
from payments.store.file.store import FileStore
from tests.harness import HOST_A, HOST_B, TERMS, Clock, event, file_store, lock_path
from tests.store.file.crash.recording import Operation, RecordingDisk

WRITERS = 3
TURNS = 5
SEGMENT_BYTES = 8000


class WorkloadRecord(NamedTuple):
    """A recorded run: operations and acknowledgements.

    Attributes:
        log: all operations on the disk.
        sent, acknowledged: by name of a command, the log's length when it was first sent, and when it was acknowledged.
        end_ms: the clock at the end.
    """

    log: Sequence[Operation]
    sent: dict[str, int]
    acknowledged: dict[str, int]
    end_ms: int


class NamedCommand(NamedTuple):
    """A command; ``name``: what ``name_of`` returns for its entry."""

    name: str
    command: Command


def name_of(entry: Entry) -> str:
    """The name of the command that ``entry`` records: the ``event_id`` of an event, the detail of a reading."""
    if entry.session is None:
        return str(entry.metadata["detail"])
    is_retention = entry.reason in (SESSION_REAPED, SESSION_FORGOTTEN)
    return f"{entry.metadata['event']} {entry.session.event_id}" if is_retention else str(entry.session.event_id)


class Baton:
    """Runs one of several threads at a time; a random choice decides which runs next."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._turns: dict[str, threading.Semaphore] = {}
        self._errors: list[BaseException] = []

    def run(self, parts: Sequence[Callable[[], None]]) -> None:
        """Run all parts to the end; raise the first exception."""
        threads = [threading.Thread(target=self._play, args=(part,), name=f"{n}") for n, part in enumerate(parts)]
        self._turns = {thread.name: threading.Semaphore(0) for thread in threads}
        for thread in threads:
            thread.start()
        self._hand_on()
        for thread in threads:
            thread.join()
        for error in self._errors:
            raise error

    def pass_on(self) -> None:
        """Let others run; return when it is this thread's turn again."""
        own = self._turns.get(threading.current_thread().name)
        if own is not None:
            self._hand_on()
            own.acquire()

    def _hand_on(self) -> None:
        if self._turns:
            self._turns[self._dice.choice(sorted(self._turns))].release()

    def _play(self, part: Callable[[], None]) -> None:
        own = self._turns[threading.current_thread().name]
        own.acquire()
        try:
            part()
        except BaseException as error:
            self._errors.append(error)
        finally:
            del self._turns[threading.current_thread().name]
            self._hand_on()


class _Writer:
    """Sends batches about its own sessions, and readings of shared orchestrators.

    Each acknowledged command becomes exactly one entry.
    """

    def __init__(
        self, name: str, store: FileStore, disk: RecordingDisk, *, clock: Clock, dice: Random, baton: Baton
    ) -> None:
        self.sent: dict[str, int] = {}
        self.acknowledged: dict[str, int] = {}
        self._name = name
        self._store = store
        self._disk = disk
        self._clock = clock
        self._dice = dice
        self._baton = baton
        self._ended = {f"{name}-{number}": False for number in range(2)}
        self._last: dict[str, tuple[str, int]] = {}

    def send(self) -> None:
        batch = [self._next() for _ in range(self._dice.randint(1, 6))]
        if self._dice.random() < 0.25:
            self._disk.room_bytes = self._dice.randrange(4000)
            self._disk.can_cut = self._dice.random() < 0.5
        try:
            sent = batch
            while sent:
                if self._is_acknowledged(sent):
                    batch = batch[len(sent) :]
                else:
                    # The next write after a truncation comes from a random writer, with other lines.
                    self._baton.pass_on()
                sent = batch[: self._dice.randint(1, 6)]
        finally:
            self._disk.room_bytes, self._disk.can_cut = None, True

    def maintain(self) -> None:
        """Compress sealed segments while others write."""
        self._store.maintain()

    def _is_acknowledged(self, batch: Sequence[NamedCommand]) -> bool:
        try:
            self._store.execute([each.command for each in batch])
        except Unavailable:
            return False
        for each in batch:
            self.acknowledged[each.name] = len(self._disk.log)
        if self._dice.random() < 0.7:
            # Replaces the thread that does this, at a repeatable moment.
            self._store.refresh()
        return True

    def _next(self) -> NamedCommand:
        session_id = self._dice.choice(list(self._ended))
        name = f"{self._name}-{len(self.sent)}"
        chance = self._dice.random()
        if chance < 0.13 and session_id in self._last:
            named = self._retention(session_id)
        elif chance < 0.3:
            named = self._reading(name)
        else:
            named = self._event(session_id, name)
        self.sent[named.name] = len(self._disk.log)
        return named

    def _retention(self, session_id: str) -> NamedCommand:
        """Close an active session; purge an ended one, which is then unknown until it starts."""
        event_id, seen_ms = self._last[session_id]
        if not self._ended[session_id]:
            self._ended[session_id] = True
            return NamedCommand(f"reap {event_id}", CloseStale(session_id, seen_ms))
        del self._last[session_id]
        return NamedCommand(f"forget {event_id}", PurgeEnded(session_id, seen_ms))

    def _reading(self, name: str) -> NamedCommand:
        self._clock.now_ms += self._dice.randrange(1, 60_000)
        orchestrator_id = self._dice.choice(["orch-a", "orch-b"])
        state = self._dice.choice([AWAKE, AWAKE, AWAKE, UNKNOWN])
        return NamedCommand(name, Reading(orchestrator_id, state, self._clock.now_ms, name))

    def _event(self, session_id: str, name: str) -> NamedCommand:
        kind = START if self._ended[session_id] else self._dice.choice([START, HEARTBEAT, HEARTBEAT, END])
        self._ended[session_id] = kind == END
        self._clock.now_ms += self._dice.randrange(1, 60_000)
        self._last[session_id] = name, self._clock.now_ms
        host = self._dice.choice([HOST_A, HOST_B])
        seq = len(self.sent)
        return NamedCommand(
            name, event(session_id, kind, self._clock.now_ms, event_id=name, seq=seq, upstream_addr=host)
        )


def record(
    folder: Path, seed: int, make_disk: Callable[[Path], RecordingDisk] = RecordingDisk, turns: int = TURNS
) -> WorkloadRecord:
    """Let ``WRITERS`` stores share ``folder`` for ``turns`` batches each."""
    folder.mkdir()
    dice, clock, disk = Random(seed), Clock(), make_disk(folder)
    terms = TERMS._replace(power_rate_wei_per_minute=10**15)
    stores = [file_store(folder, terms, clock, disk, SEGMENT_BYTES) for _ in range(WRITERS)]
    baton = Baton(dice)
    writers = [
        _Writer(f"w{number}", store, disk, clock=clock, dice=dice, baton=baton) for number, store in enumerate(stores)
    ]
    locks = [lock_path(folder), folder / "sessions.json.lock"]

    def pass_on_unless_locked() -> None:
        # A thread that stopped while holding a lock would block the others for ever.
        if all(_is_free(lock) for lock in locks):
            baton.pass_on()

    def work(writer: _Writer) -> None:
        for _ in range(turns):
            writer.send()
            if dice.random() < 0.2:
                writer.maintain()
            baton.pass_on()

    disk.before_sync = pass_on_unless_locked
    with patch.object(Projector, "follow"):
        baton.run([lambda writer=writer: work(writer) for writer in writers])  # type: ignore[misc]
    for store in stores:
        store.close()
    sent = {name: at for writer in writers for name, at in writer.sent.items()}
    acknowledged = {name: at for writer in writers for name, at in writer.acknowledged.items()}
    return WorkloadRecord(disk.log, sent, acknowledged, clock.now_ms)


def _is_free(lock: Path) -> bool:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
