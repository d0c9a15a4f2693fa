"""The projections: readable JSON documents that show the state at a journal position, and shorten the next start."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from payments.disk import Disk, replace_file
from payments.domain.ledger import Balance
from payments.domain.records import (
    balance_record,
    booked_record,
    power_record,
    read_balance,
    read_power,
    read_session,
    session_record,
)
from payments.domain.state import State
from payments.store.file.codec import Position

log = logging.getLogger(__name__)

FORMAT = 1
_SLICE = 500

V = TypeVar("V")


class Paths(NamedTuple):
    """Where the projections are."""

    sessions: Path
    balances: Path
    power_meter: Path


class Snapshot(NamedTuple):
    """A state, and the journal position that it reflects."""

    state: State
    position: Position


class Shown(NamedTuple):
    """What one sound projection shows: the journal position that it reflects, and its subjects by id."""

    position: Position
    subjects: Mapping[str, Any]


class Found(NamedTuple):
    """What the projections on disk show.

    Attributes:
        snapshot: the newest state that they show together, or ``None``. One may be newer than another, by a crash
            between the two; the position is the lowest one, because entries carry results, so folding some of them
            again does no harm.
        reflected: the position of each projection that is sound. The journal was on disk up to there.
    """

    snapshot: Snapshot | None
    reflected: Mapping[Path, Position]


class _Unusable(ValueError):
    """The file is not a projection that can be trusted."""


def write(disk: Disk, paths: Paths, snapshot: Snapshot, credit_unit: str) -> None:
    """Replace all projections. The journal must be on disk up to ``snapshot.position``. Raises ``OSError``."""
    state = snapshot.state
    shown: Mapping[str, Iterable[Mapping[str, Any]]] = {
        "sessions": map(session_record, state.sessions.values()),
        "balances": (_balance_record(balance, credit_unit) for _, balance in sorted(state.balances.items())),
        "power": (power_record(power) for _, power in sorted(state.power.items())),
    }
    for path, (name, records) in zip(paths, shown.items(), strict=True):
        disk.make_folder(path.parent)
        replace_file(disk, path, _document(name, snapshot.position, records))


def read(paths: Paths) -> Found:
    """What the projections on disk show together."""
    shown = read_each(paths)
    reflected = {path: each.position for path, each in shown.items()}
    if len(shown) < len(paths):
        return Found(None, reflected)
    position = min(reflected.values())
    sessions, balances, power = (dict(shown[path].subjects) for path in paths)
    return Found(Snapshot(State(position.seq, sessions, balances, power), position), reflected)


def read_each(paths: Paths) -> dict[Path, Shown]:
    """What each sound projection on disk shows. One that is not is reported; it is made again from the journal."""
    readers: tuple[tuple[str, str, Callable[[Mapping[str, Any]], Any]], ...] = (
        ("sessions", "session_id", read_session),
        ("balances", "orchestrator_id", read_balance),
        ("power", "orchestrator_id", read_power),
    )
    shown = {}
    for path, (name, key, read_record) in zip(paths, readers, strict=True):
        try:
            records, position = _read(path, name, read_record)
        except FileNotFoundError:
            continue
        except (OSError, _Unusable) as error:
            log.warning("%s; it is made again from the journal", error)
            continue
        shown[path] = Shown(position, {getattr(record, key): record for record in records})
    return shown


def _balance_record(balance: Balance, credit_unit: str) -> Mapping[str, Any]:
    record = balance_record(balance, credit_unit)
    return {**record, "booked": booked_record(balance)} if balance.booked else record


def reflected_seq(paths: Paths) -> int | None:
    """Up to which ``seq`` all projections say that they show the journal; ``None`` where one of them says nothing."""
    try:
        return min(_read_head(path).seq for path in paths)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_head(path: Path) -> Position:
    with path.open("rb") as file:
        return _position(orjson.loads(file.readline().rstrip(b"\n") + b"]}"))


def _document(name: str, position: Position, records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    head = b'%b,"%b":[\n' % (orjson.dumps({"format": FORMAT, "journal": position._asdict()})[:-1], name.encode())
    yield head
    checksum = sha256(head)
    separator = b""
    for part in _slices(map(orjson.dumps, records)):
        data = separator + b",\n".join(part)
        separator = b",\n"
        checksum.update(data)
        yield data
    yield b'\n],"checksum":"%b"}\n' % checksum.hexdigest().encode()


def _slices(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if len(part) == _SLICE:
            yield part
            part = []
    if part:
        yield part


def _read(path: Path, name: str, read_record: Callable[[Mapping[str, Any]], V]) -> tuple[list[V], Position]:
    data = path.read_bytes()
    try:
        document = orjson.loads(data)
        if document["format"] != FORMAT:
            raise _Unusable(f"{path} has format {document['format']}, not {FORMAT}")
        if document["checksum"] != sha256(data[: data.rfind(b'\n],"checksum":"')]).hexdigest():
            raise _Unusable(f"{path} was changed after it was written")
        return [read_record(record) for record in document[name]], _position(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Unusable(f"{path} is damaged ({error})") from error


def _position(document: Mapping[str, Any]) -> Position:
    position = Position(**document["journal"])
    if [type(value) for value in position] != [int, int, str, int]:
        raise _Unusable("journal position of the wrong type")
    return position
