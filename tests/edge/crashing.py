"""Runs of an edge that are killed, and the run after them.

``python -m tests.edge.crashing`` reads a folder, a seed and a time from each line, and runs an edge there in a process
of its own. That process prints its id, events as ``told`` once they are synced, and events as ``sent`` before they are
settled.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeAlias

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.sessions import END, START
from payments.events import load_event
from payments.store.memory import MemoryStore
from tests.edge.edge import EdgeLife, edge
from tests.edge.spools import AWAY, deliver_all
from tests.harness import NOON_MS, Clock, memory_store, state_of
from tests.store.file.crash.recording import Create, Operation, Remove, Sync, SyncFolder, Truncate, Write

SMALL = 1 << 14
"""Size of a small spool, full after 45 events."""

SECTOR = 512


class Lost(NamedTuple):
    """Unsynced data of the file is lost for good."""

    file: int


Step: TypeAlias = Operation | Lost | bytes
"""An action of a process: a change on its disk, or a line of output."""


class Told(NamedTuple):
    """An event that its edge took to be safe in the spool."""

    session_id: str
    kind: str
    occurred_ms: int


class CrashHistory:
    """What an edge took to be safe, and what Payments received.

    Attributes:
        now_ms: time of the last action; ``pid``: the process.
        told: the synced events, in order; ``recorded``: events that counted at Payments, by session.
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self.now_ms = NOON_MS
        self.pid = 0
        self.told: list[Told] = []
        self.recorded: dict[str, list[Told]] = {}
        self._clock = Clock()
        self._store: MemoryStore = memory_store(clock=self._clock)
        for line in lines:
            self.hear(line)

    def hear(self, line: bytes) -> None:
        """Read the next line of the process."""
        said = json.loads(line)
        self.pid = said.get("pid", self.pid)
        self.told += [Told(*each) for each in said.get("told", [])]
        self.now_ms = said.get("now_ms", self.now_ms)
        self.take(said.get("sent", []))

    def take(self, events: Iterable[dict[str, Any]]) -> None:
        """Deliver ``events`` to Payments."""
        self._clock.now_ms = max(self._clock.now_ms, self.now_ms)
        for each in events:
            event = load_event(each, self._clock())
            (outcome,) = self._store.execute([event])
            assert isinstance(outcome, Outcome)
            if outcome.kind == RECORDED:
                assert event.occurred_at_ms is not None
                said = Told(event.session_id, event.event, event.occurred_at_ms)
                self.recorded.setdefault(event.session_id, []).append(said)

    def live_on(self, folder: Path) -> None:
        """Run the edge again and deliver everything."""
        # The last write may not have been reported.
        self.now_ms += 10_000
        with edge(folder, AWAY, Clock(self.now_ms), max_bytes=SMALL) as life:
            life.write()
            assert life.spool.error is None
            self.take(json.loads(event.body()) for event in life.spool.batch(1000))
            deliver_all(life.spool)
            assert life.spool.pending == 0

    def check(self) -> None:
        """Every reported session has one start, one end, and all of its time."""
        last = {each.session_id: each for each in self.told}
        assert last.keys() <= self.recorded.keys()
        for name, events in self.recorded.items():
            kinds = [each.kind for each in events]
            assert (kinds[0], kinds[-1]) == (START, END), kinds
            assert (kinds.count(START), kinds.count(END)) == (1, 1), kinds
            moments = [each.occurred_ms for each in events]
            assert moments == sorted(moments)
            assert state_of(self._store).sessions[name].billed_ms == moments[-1] - moments[0]
            if name in last:
                assert moments[0] == next(each.occurred_ms for each in self.told if each.session_id == name)
                assert moments[-1] >= last[name].occurred_ms
                if last[name].kind == END:
                    assert moments[-1] == last[name].occurred_ms


class Living(EdgeLife):
    """An edge that prints its actions."""

    def write(self) -> None:
        self.sessions.put_due_heartbeats()
        told = [(each.session_id, each.kind, each.occurred_ms) for each in self.inbox]
        super().write()
        if self.spool.error is None:
            _say(told=told, now_ms=self.clock())

    def deliver_some(self, max_events: int) -> None:
        events = self.spool.batch(max_events if self.spool.error is None else 0)
        _say(sent=[json.loads(each.body()) for each in events])
        self.spool.settle(events, events, [])


def live(folder: Path, seed: int, begun_ms: int) -> None:
    """A run with everything that can happen: deliveries, an outage that fills the spool, ends and starts."""
    life = Living(folder, AWAY, Clock(begun_ms), SMALL, seed)
    life.spool.open()
    sessions = [life.begin() for _ in range(6)]
    life.pass_s(16, step_s=3)
    life.deliver_some(2)
    life.pass_s(30, step_s=3)
    sessions[0].end()
    life.deliver_some(100)
    life.pass_s(150, step_s=3)
    sessions[1].end()
    sessions.append(life.begin())
    life.pass_s(60, step_s=3)
    life.deliver_some(3)
    life.pass_s(30, step_s=3)
    sessions[6].end()
    life.write()
    life.deliver_some(4)
    life.spool.close()


def recorded(folder: Path, seed: int = 1, begun_ms: int = NOON_MS, faults: Sequence[str] = ()) -> list[Step]:
    """Run an edge in ``folder``; return its changes on disk and its output, in order.

    ``faults``: of system calls, in the syntax of ``strace -e``.
    """
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    report = folder.with_suffix(".trace")
    command = ["strace", "-f", "-y", "-qq", "-xx", "-s", "1000000", "-e", f"trace={','.join(_CALLS)}"]
    command += [*(word for fault in faults for word in ("-e", f"inject={fault}")), "-o"]
    subprocess.run(
        [*command, str(report), sys.executable, "-m", "tests.edge.crashing"], input=f"{folder} {seed} {begun_ms}\n",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = {name: number for number, name in enumerate(found)}
    log: list[Step] = [Create(name, number) for name, number in files.items()]
    log += [Write(files[name], 0, data) for name, data in found.items()]
    log += [*(Sync(number, 0) for number in files.values()), SyncFolder("")]
    for line in report.read_text().splitlines():
        if call := _CALL.fullmatch(line):
            made = _operations(call["name"], call["rest"], folder, files)
            # After a failed sync, the page cache shows data that the disk may never get.
            log += [Lost(each.file) if isinstance(each, Sync) and call["failed"] else each for each in made]
    return log


def _operations(name: str, rest: str, folder: Path, files: dict[str, int]) -> list[Step]:
    """Parse a system call; ``files``: descriptors by number."""
    texts = [bytes.fromhex(each.replace("\\x", "")) for each in _TEXT.findall(rest)]
    path = Path(os.fsdecode(texts[1 if name == "openat" else 0])) if texts else Path()
    if name == "write" and rest.startswith("1<"):
        return [texts[1]]
    if name in ("fdatasync", "fsync") and path == folder:
        return [SyncFolder("")]
    if path.parent != folder:
        return []
    if name == "openat" and "O_CREAT" in rest and path.name not in files:
        files[path.name] = next(_numbers)
        return [Create(path.name, files[path.name])]
    if name == "unlink":
        del files[path.name]
        return [Remove(path.name)]
    last = int(rest.rpartition(", ")[2]) if name in ("pwrite64", "ftruncate") else 0
    made: dict[str, Operation] = {
        "pwrite64": Write(files[path.name], last, texts[-1]),
        "ftruncate": Truncate(files[path.name], last),
        "fdatasync": Sync(files[path.name], 0),
        "fsync": Sync(files[path.name], 0),
    }
    return [made[name]] if name in made else []


_numbers = count(1000)
_CALLS = ("openat", "write", "pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")
_CALL = re.compile(r"\d+ +(?P<name>\w+)\((?P<rest>.*)\) += (\d+(<.*>)?|(?P<failed>-1 EIO.*))")
_TEXT = re.compile(r'[<"]((?:\\x[0-9a-f]{2})+)[>"]')


def left(log: Sequence[Step], chance: Random | None = None) -> dict[str, bytes]:
    """The files at the end of ``log``; with ``chance``: after a loss of power.

    Then unsynced writes happened up to some point, without some of their sectors, and so did changes of names.
    """
    named: dict[str, int] = {}
    renamed: list[Create | Remove] = []
    files: dict[int, bytearray] = {}
    changes: dict[int, list[Write | Truncate]] = {}
    for operation in log:
        match operation:
            case Create(_, file):
                files[file], changes[file] = bytearray(), []
                renamed.append(operation)
            case Remove():
                renamed.append(operation)
            case Write(file) | Truncate(file):
                changes[file].append(operation)
            case Sync(file):
                _apply(files[file], changes[file], None)
                changes[file].clear()
            case Lost(file) if chance:
                changes[file].clear()
            case SyncFolder():
                _rename(named, renamed)
                renamed.clear()
    _rename(named, renamed[: chance.randint(0, len(renamed))] if chance else renamed)
    for file, pending in changes.items():
        _apply(files[file], pending[: chance.randint(0, len(pending))] if chance else pending, chance)
    return {name: bytes(files[file]) for name, file in named.items()}


def _apply(content: bytearray, changes: Sequence[Write | Truncate], chance: Random | None) -> None:
    for change in changes:
        if isinstance(change, Truncate):
            del content[change.size :]
            continue
        end = change.offset + len(change.data)
        content.extend(bytes(max(0, end - len(content))))
        for low in range(change.offset, end, SECTOR):
            if chance is None or chance.random() < 0.7:
                part = change.data[low - change.offset :][:SECTOR]
                content[low : low + len(part)] = part


def _rename(named: dict[str, int], changes: Sequence[Create | Remove]) -> None:
    for change in changes:
        if isinstance(change, Create):
            named[change.path] = change.file
        else:
            named.pop(change.path, None)


def _say(**said: Any) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


def main() -> None:
    for line in sys.stdin:
        folder, seed, begun_ms = line.split()
        if (pid := os.fork()) == 0:
            _say(pid=os.getpid())
            live(Path(folder), int(seed), int(begun_ms))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert status in (0, signal.SIGKILL), status
        _say(dead=pid)


if __name__ == "__main__":
    main()
