"""What is read ahead of the lock counts only where it is still there under it, and spares decoding it again."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from payments.disk import Disk, lock
from payments.disk.lock import HotLock
from payments.domain.entries import Entry
from payments.store.file import ahead as engine
from payments.store.file.ahead import Ahead
from payments.store.file.codec import FIRST_HASH, Decoded, Position, decode, decode_lines, encode, line_hash
from payments.store.file.journal import Journal
from payments.store.file.lines import BadTail
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import journal_path
from tests.store.file.history import History, lay

Step = Callable[[], object]
Opener = Callable[[Disk], Journal]

DISK = HastyDisk()


class Kept(HotLock):
    """A lock that another process has: at each look it does one of ``steps``, and behind the last it lets go.

    Attributes:
        is_queued_for: whether its waiter stopped looking, and queued up.
    """

    def __init__(self, path: Path, *steps: Step) -> None:
        super().__init__(path)
        self.is_queued_for = False
        self._steps = list(steps)

    def acquire_now(self) -> bool:
        if self._steps:
            self._steps.pop(0)()
            return False
        return super().acquire_now()

    def acquire(self) -> None:
        self.is_queued_for = True
        while not self.acquire_now():
            pass


class Found(NamedTuple):
    """What reading on found: the entries, where they end, and what is wrong with what follows."""

    entries: Sequence[Entry]
    position: Position
    complaint: str


@pytest.fixture
def path(tmp_path: Path) -> Path:
    lay(tmp_path, b"")
    return journal_path(tmp_path)


@pytest.fixture
def opened(path: Path) -> Iterator[Opener]:
    """Opens the journal, each time as another process would."""
    with ExitStack() as closing:

        def opened(disk: Disk) -> Journal:
            journal = Journal(disk, path, 1 << 28)
            closing.callback(journal.close)
            return journal

        yield opened


def waited(ahead: Ahead, journal: Journal, *steps: Step) -> bool:
    """Let ``ahead`` wait for a lock whose holder does ``steps``; whether it queued up for it."""
    kept = Kept(journal.path.with_name("lock"), *steps)
    ahead.acquire(kept, journal)
    kept.close()
    return kept.is_queued_for


def writing(path: Path, lines: Sequence[bytes]) -> Step:
    return lambda: path.write_bytes(b"".join(lines))


def found(journal: Journal) -> Found:
    entries: list[Entry] = []
    complaint = ""
    try:
        for some in journal.read_on():
            entries += some
    except BadTail as error:
        complaint = str(error)
    return Found(entries, journal.position, complaint)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines were decoded, call by call."""
    numbers: list[int] = []

    def noted(lines: Sequence[bytes], position: Position) -> Decoded:
        numbers.append(len(lines))
        return decode_lines(lines, position)

    monkeypatch.setattr(engine, "decode_lines", noted)
    return numbers


def others(history: History) -> list[bytes]:
    """Lines as long as those of ``history``, which say something else."""
    lines, prev = [], FIRST_HASH
    for line in history.lines:
        entry, durable = decode(line)
        lines.append(encode(replace(entry, timestamp_ms=entry.timestamp_ms + 1), durable, prev))
        prev = line_hash(lines[-1])
    assert list(map(len, lines)) == list(map(len, history.lines))
    return lines


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_lines_read_ahead_are_not_decoded_again(
    at_once: int, path: Path, history: History, decoded: list[int], opened: Opener
) -> None:
    steps = [writing(path, history.lines[:end]) for end in range(at_once, len(history.lines) + at_once, at_once)]
    ahead, journal = Ahead(), opened(DISK)
    journal.decode = ahead.decode
    waited(ahead, journal, *steps)
    assert sum(decoded) == len(history.lines)
    decoded.clear()
    result = found(journal)
    assert sum(decoded) == 0
    assert result == found(opened(DISK))
    assert len(result.entries) == len(history.lines)


@pytest.mark.parametrize("ahead_lines", [0, 1, 5, 16])
@pytest.mark.parametrize("then", ["more", "same", "fewer", "others", "others later", "torn", "none", "garbage"])
def test_what_is_there_under_the_lock_counts(
    ahead_lines: int, then: str, path: Path, history: History, opened: Opener
) -> None:
    """However that differs from what was there before: read ahead or not, it makes no difference."""
    middle = ahead_lines // 2
    contents = {
        "more": history.lines,
        "same": history.lines[:ahead_lines],
        "fewer": history.lines[:middle],
        "others": others(history)[:ahead_lines],
        "others later": [*history.lines[:middle], *others(history)[middle:ahead_lines]],
        "torn": [*history.lines[:middle], history.lines[middle][:-9]],
        "none": [],
        "garbage": [*history.lines[:middle], b"\0" * 512],
    }
    ahead, journal = Ahead(), opened(DISK)
    journal.decode = ahead.decode
    waited(ahead, journal, writing(path, history.lines[:ahead_lines]), writing(path, contents[then]))
    assert found(journal) == found(opened(DISK))


@pytest.mark.parametrize(
    "tail", [b"", b"half a line", b"\0" * 512, b"no line\n"], ids=["none", "half", "zeros", "other"]
)
def test_only_whole_lines_are_read_ahead(
    tail: bytes, path: Path, history: History, decoded: list[int], opened: Opener
) -> None:
    """What is being written may be seen half-done."""
    ahead, journal = Ahead(), opened(DISK)
    journal.decode = ahead.decode
    waited(ahead, journal, lambda: path.write_bytes(history.lines[0] + tail))
    path.write_bytes(history.journal)
    decoded.clear()
    assert found(journal) == found(opened(DISK))
    assert decoded == [len(history.lines) - 1]


def test_a_file_that_cannot_be_read_ahead_is_waited_for_nevertheless(
    path: Path, history: History, opened: Opener
) -> None:
    disk = ScriptedDisk()
    ahead, journal = Ahead(), opened(disk)
    journal.decode = ahead.decode
    path.write_bytes(history.journal)
    disk.script("read", path.name, Fail(errno.EIO))
    assert waited(ahead, journal, lambda: None)
    assert found(journal) == found(opened(DISK))


def test_whoever_writes_little_is_queued_up_for_at_once(path: Path, opened: Opener) -> None:
    assert waited(Ahead(), opened(DISK), lambda: None)


def test_the_next_piece_of_one_who_writes_much_is_waited_for(path: Path, history: History, opened: Opener) -> None:
    ahead, journal = Ahead(), opened(DISK)
    lines = list(history.lines) * engine.PIECE_ENTRIES
    ahead.decode(lines, Position())
    assert not waited(ahead, journal, *[lambda: None] * 3)
    # Once: as nothing came of it, that one may not write much any more.
    assert waited(ahead, journal, lambda: None)


def test_whoever_keeps_the_lock_and_writes_nothing_is_queued_up_for_after_all(
    path: Path, history: History, opened: Opener
) -> None:
    ahead, journal = Ahead(), opened(DISK)
    ahead.decode(list(history.lines) * engine.PIECE_ENTRIES, Position())
    assert waited(ahead, journal, *[lambda: None] * 100)


def test_nobody_is_overtaken_for_ever(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch, opened: Opener
) -> None:
    """There is always something new to read ahead, and always another one who has the lock."""
    monkeypatch.setattr(lock, "_WORKING_S", 0.0)
    steps = [writing(path, history.lines[:end]) for end in range(1, 17)]
    assert waited(Ahead(), opened(DISK), *steps)
