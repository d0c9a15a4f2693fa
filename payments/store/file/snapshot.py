"""The projections: readable JSON documents that show the state at a journal position, and shorten the next start."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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
_SLICE = 50
"""Records per write."""

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError)


class Paths(NamedTuple):
    """The files of the projections."""

    sessions: Path
    balances: Path
    power_meter: Path


class Snapshot(NamedTuple):
    """A state, and the journal position that it shows."""

    state: State
    position: Position


class ReadProjections(NamedTuple):
    """What the projections on disk show.

    Attributes:
        snapshot: the state that they show together; ``None`` if one is unusable. After a crash one may be newer than
            another, so the position is the lowest. Folding some entries twice does no harm: they carry results.
        reflected: the position of each usable projection. The journal was on disk up to there.
    """

    snapshot: Snapshot | None
    reflected: Mapping[Path, Position]


class UnusableProjection(ValueError):
    """The file is damaged, was edited, or is not a projection."""


class _ProjectionKind(NamedTuple):
    """The format of one projection.

    Attributes:
        name: of the list of records.
        key: the field that holds a record's id.
        last: the field that identifies the last line about it, by the end of its interval or by its ``seq``.
        read: parses a record.
    """

    name: str
    key: str
    last: str
    read: Callable[[Mapping[str, Any]], Any]


_KINDS = (
    _ProjectionKind("sessions", "session_id", "last_billed_at", read_session),
    _ProjectionKind("balances", "orchestrator_id", "seq", read_balance),
    _ProjectionKind("power", "orchestrator_id", "metered_to", read_power),
)


class Projection:
    """One open projection with a valid checksum. It stays readable after a newer one replaces it.

    Read line by line, so that it takes little memory however long it is.

    Attributes:
        position: the journal position that it shows.
    """

    def __init__(self, path: Path, kind: _ProjectionKind) -> None:
        """Raises ``OSError``, and ``UnusableProjection`` if any byte was changed."""
        self._path = path
        self._kind = kind
        self._file = path.open("rb")
        try:
            self.position = self._check()
        except BaseException:
            self._file.close()
            raise

    def subjects(self) -> Iterator[tuple[str, Any]]:
        """Its sessions, balances or power states, by id. Raises ``OSError`` and ``UnusableProjection``."""
        return self._each(self._kind.read)

    def last_line_keys(self) -> Iterator[tuple[str, Any]]:
        """By id, what identifies the last line about each: the value of the field ``last``. Raises as ``subjects``."""
        return self._each(itemgetter(self._kind.last))

    def _each(self, read: Callable[[Mapping[str, Any]], Any]) -> Iterator[tuple[str, Any]]:
        self._file.seek(0)
        self._file.readline()
        try:
            for line in self._file:
                if line.startswith(b"{"):
                    record = orjson.loads(line.rstrip(b",\n"))
                    name = record[self._kind.key]
                    if not isinstance(name, str):
                        raise TypeError(f"{self._kind.key} {name!r} is no text")
                    yield name, read(record)
        except _DAMAGE as error:
            raise UnusableProjection(f"{self._path} is damaged ({error})") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check(self) -> Position:
        head = self._file.readline()
        try:
            document = orjson.loads(head + b"]}")
            if document["format"] != FORMAT:
                raise UnusableProjection(f"{self._path} has format {document['format']}, not {FORMAT}")
            if document[self._kind.name] != [] or not _is_unchanged(self._file, head):
                raise UnusableProjection(f"{self._path} was changed after it was written")
            return _position(document)
        except UnusableProjection:
            raise
        except _DAMAGE as error:
            raise UnusableProjection(f"{self._path} is damaged ({error})") from error


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


def read(paths: Paths) -> ReadProjections:
    """What the projections on disk show together."""
    reflected: dict[Path, Position] = {}
    subjects: list[dict[str, Any]] = []
    for path, shown in open_projections(paths, _report).items():
        with closing(shown):
            try:
                subjects.append(dict(shown.subjects()))
                reflected[path] = shown.position
            except (OSError, UnusableProjection) as error:
                _report(error)
    if len(reflected) < len(paths):
        return ReadProjections(None, reflected)
    sessions, balances, power = subjects
    position = min(reflected.values())
    return ReadProjections(Snapshot(State(position.seq, sessions, balances, power), position), reflected)


def open_projections(paths: Paths, report: Callable[[Exception], None]) -> dict[Path, Projection]:
    """The usable projections on disk. Calls ``report`` with the error of each that exists but is unusable."""
    found = {}
    for path, kind in zip(paths, _KINDS, strict=True):
        try:
            found[path] = Projection(path, kind)
        except FileNotFoundError:
            continue
        except (OSError, UnusableProjection) as error:
            report(error)
    return found


def shown_positions(paths: Paths) -> dict[Path, Position]:
    """The journal position that each usable projection on disk shows."""
    found = open_projections(paths, lambda _: None)
    for shown in found.values():
        shown.close()
    return {path: shown.position for path, shown in found.items()}


def _report(error: Exception) -> None:
    log.warning("PAY-J02 %s; it is made again from the journal", error)


def _balance_record(balance: Balance, credit_unit: str) -> Mapping[str, Any]:
    record = balance_record(balance, credit_unit)
    return {**record, "booked": booked_record(balance)} if balance.booked else record


def reflected_seq(paths: Paths) -> int | None:
    """The lowest ``seq`` in the heads of the projections; ``None`` if a head cannot be read."""
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
    yield b"\n%b\n" % _end(checksum.hexdigest())


def _slices(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if len(part) == _SLICE:
            yield part
            part = []
    if part:
        yield part


def _is_unchanged(file: BinaryIO, head: bytes) -> bool:
    """Whether the rest of ``file``, which was read up to the end of ``head``, ends with the right checksum."""
    checksum, newline = sha256(head), b""
    for line in file:
        if line.startswith(b"]"):
            return line.rstrip(b"\n") == _end(checksum.hexdigest()) and not file.read(1)
        checksum.update(newline + line[:-1])
        newline = b"\n"
    return False


def _end(checksum: str) -> bytes:
    return b'],"checksum":"%b"}' % checksum.encode()


def _position(document: Mapping[str, Any]) -> Position:
    position = Position(**document["journal"])
    if [type(value) for value in position] != [int, int, str, int]:
        raise UnusableProjection("journal position of the wrong type")
    if position.seq < 0 or position.offset < 0 or position.segment < 1:
        raise UnusableProjection("journal position that there is none of")
    return position
