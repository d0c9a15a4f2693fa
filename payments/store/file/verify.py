"""Whether the journal holds together, from its first line to its last, and whether the projections show what it says.

What a start checks (checksum, chain, ``seq``), and what it takes for granted: that balances are the sums of what moved
them, that no moment of a session, or of a host's power, is in two intervals. It writes nothing, and asks for the lock
only to see where the journal ends, so it may run beside everything else.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from payments.disk import Disk
from payments.domain.entries import CREDIT, DEBIT, SESSION_FORGOTTEN
from payments.domain.ledger import Balance, Booked
from payments.domain.money import format_eth, read_eth
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.errors import Corrupt, Unavailable
from payments.store.file import snapshot
from payments.store.file.codec import VERSION, Position, decode, decode_lines, is_whole
from payments.store.file.lines import place
from payments.store.file.snapshot import Paths, Shown, Unusable
from payments.store.file.walk import JournalFile, blocks, journal_files

_REMEDY = "Nothing is lost: remove the file, and the next start makes it again"


class Verified(NamedTuple):
    """What was found to hold together.

    Attributes:
        sessions: how many are not forgotten.
        balances_wei: what the entries add up to, by orchestrator.
        compared: up to which ``seq`` each projection shows the journal, and rightly so; a missing one is not in it.
    """

    entries: int
    segments: int
    sessions: int
    balances_wei: Mapping[str, int]
    compared: Mapping[Path, int]


class Verification:
    """The journal as it is now, open to be verified; whoever made it closes it.

    Attributes:
        size: how many bytes there are to walk through.
    """

    def __init__(self, disk: Disk, journal_path: Path, projections: Paths) -> None:
        """Raises ``Unavailable`` where it cannot be read."""
        self._projections = projections
        # First: what is recorded meanwhile must not be in them and not in the journal.
        self._unsound: list[Exception] = []
        self._shown = snapshot.open_each(projections, self._unsound.append)
        try:
            self._files = journal_files(disk, journal_path)
        except OSError as error:
            self._close_shown()
            raise Unavailable(f"{error.filename or journal_path}: cannot be read ({error.strerror})") from error
        self.size = sum(file.end for file in self._files)

    def run(self, progress: Callable[[int], None]) -> Verified:
        """Walk through all of it. ``progress`` is told how many more bytes were read, now and then.

        Raises ``Corrupt``, naming file and line of the first fault, and ``Unavailable``.
        """
        check = _Check(self._projections, self._shown)
        position = Position()
        for file in self._files:
            position = Position(position.seq, 0, position.hash, position.seq + 1)
            if file.first_seq not in (None, position.segment):
                raise Corrupt(f"{file.segment.path}: the segment before it, with seq {position.segment}, is missing")
            try:
                position = check.walk(file, position, progress)
            except OSError as error:
                raise Unavailable(f"{file.segment.path}: cannot be read ({error.strerror})") from error
        check.finish()
        for unsound in self._unsound:
            raise Corrupt(f"{unsound}. {_REMEDY}")
        return Verified(position.seq, len(self._files), len(check.sessions), check.balances_wei, check.compared)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.segment.close()
        self._close_shown()

    def _close_shown(self) -> None:
        for shown in self._shown.values():
            shown.close()


class _Fault(ValueError):
    """What is wrong with a line that was written as it stands."""


class _Misplaced(ValueError):
    """The line does not continue the one before it."""


class _Named(msgspec.Struct, array_like=True, gc=False):
    """Of a session or a power state, the name."""

    id: str


class _Interval(msgspec.Struct, gc=False):
    """Of the metadata, what is compared."""

    interval_start: str | None = None
    interval_end: str | None = None
    booked_as: str | None = None


class _Said(msgspec.Struct, gc=False):
    """Of a line, what is compared; the rest is passed over, which takes a third of the time of reading it."""

    seq: int
    event: str
    reason: str
    orchestrator_id: str | None
    metadata: _Interval
    v: int
    prev: str
    amount: str | None = None
    delta: str | None = None
    balance: str | None = None
    session: _Named | None = None
    power: _Named | None = None


_SAID = msgspec.json.Decoder(_Said)


def _read(line: bytes) -> _Said:
    """What ``line``, whole and of a version that is known here, says; ``ValueError`` where it is not."""
    if not is_whole(line):
        raise _Fault("its checksum does not fit its content")
    said = _SAID.decode(line)
    if said.v != VERSION:
        raise _Fault(f"format version {said.v}")
    return said


class _Check:
    """What the lines so far say.

    The whole of a session is of interest in the last line about each, and only where a projection is compared.

    Attributes:
        balances_wei, compared: as in ``Verified``.
        sessions: the last line about each that is not forgotten.
    """

    def __init__(self, projections: Paths, shown: Mapping[Path, Shown]) -> None:
        self.balances_wei: dict[str, int] = {}
        self.compared: dict[Path, int] = {}
        self.sessions: dict[str, bytes] = {}
        self._readings: dict[str, bytes] = {}
        self._moved: dict[str, bytes] = {}
        self._booked: dict[str, dict[str, Booked]] = {}
        # Up to where the time of each session, and of each host's power, is accounted for.
        self._told: dict[str, str] = {}
        self._metered: dict[str, str] = {}
        self._projections = projections
        self._due = sorted(shown.items(), key=lambda due: due[1].position.seq)
        self._compare_due(0)

    def walk(self, file: JournalFile, begin: Position, progress: Callable[[int], None]) -> Position:
        """``begin``, the position before the lines of ``file``, with ``seq`` and ``hash`` of the last of them."""
        seq, prev = begin.seq, begin.hash
        for offset, lines in blocks(file, progress):
            first_seq = seq
            for line in lines:
                try:
                    said = _read(line)
                    if said.seq != seq + 1 or said.prev != prev:
                        raise _Misplaced
                    self._check(line, said)
                except ValueError as fault:
                    at = offset + sum(map(len, lines[: seq - first_seq]))
                    raise _refusal(file, line, Position(seq, at, prev, begin.segment), fault) from fault
                seq += 1
                prev = sha256(line).hexdigest()
                if self._due and self._due[0][1].position.seq == seq:
                    self._compare_due(seq)
        return begin._replace(seq=seq, hash=prev)

    def finish(self) -> None:
        """No more lines. Raises ``Corrupt`` where a projection shows more than there is."""
        for path, shown in self._due:
            raise Corrupt(f"{path} shows entry {shown.position.seq}, which the journal does not have")

    def _check(self, line: bytes, said: _Said) -> None:
        """Whether what ``line`` says fits what those before it said."""
        if said.delta is not None:
            self._check_money(line, said)
        if said.session is not None:
            session_id = said.session.id
            self._check_interval(session_id, self._told, said.metadata)
            if said.reason == SESSION_FORGOTTEN:
                self.sessions.pop(session_id, None)
            else:
                self.sessions[session_id] = line
        elif said.power is not None:
            self._check_interval(said.power.id, self._metered, said.metadata)
            self._readings[said.power.id] = line

    def _check_interval(self, name: str, accounted: dict[str, str], interval: _Interval) -> None:
        """``accounted``: up to where each is accounted for; times as text stand in the order of the moments."""
        begin, end = interval.interval_start, interval.interval_end
        if begin is None or end is None:
            raise _Fault("it is about a session or a host's power, and has no interval")
        if begin < end:
            if begin < accounted.get(name, ""):
                raise _Fault(f"its interval begins at {begin}; {name} is accounted for until {accounted[name]}")
            accounted[name] = end

    def _check_money(self, line: bytes, said: _Said) -> None:
        earner, delta = said.orchestrator_id, said.delta
        if earner is None or delta is None or said.balance is None:
            raise _Fault("it moves money, and does not say whose, or what the balance is then")
        delta_wei = read_eth(delta)
        balance_wei = self.balances_wei.get(earner, 0) + delta_wei
        if read_eth(said.balance) != balance_wei:
            raise _Fault(f"its balance is {said.balance}; the entries add up to {format_eth(balance_wei)}")
        event, amount = (DEBIT, delta[1:]) if delta_wei < 0 else (CREDIT, delta)
        if said.amount != amount or said.event != event:
            raise _Fault(f"a {said.event} of {said.amount} that changes the balance by {delta}")
        self.balances_wei[earner] = balance_wei
        self._moved[earner] = line
        if said.metadata.booked_as is not None:
            self._booked.setdefault(earner, {})[said.metadata.booked_as] = Booked(said.seq, delta_wei)

    def _compare_due(self, seq: int) -> None:
        """Compare what the projections of this very position show with what the lines up to it fold into."""
        while self._due and self._due[0][1].position.seq == seq:
            path, shown = self._due.pop(0)
            self._compare(path, shown)
            self.compared[path] = seq

    def _compare(self, path: Path, shown: Shown) -> None:
        missing, folded = self._folded(path)
        try:
            for name, subject in shown.subjects():
                if name not in missing or folded(name) != subject:
                    raise _differs(path, name, shown.position.seq)
                missing.remove(name)
        except Unusable as error:
            raise Corrupt(f"{error}. {_REMEDY}") from error
        if missing:
            raise _differs(path, min(missing), shown.position.seq)

    def _folded(self, path: Path) -> tuple[set[str], Callable[[str], Any]]:
        """What the projection at ``path`` must show after the lines so far: the names, and what it shows of each."""
        if path == self._projections.sessions:
            return set(self.sessions), self._session
        if path == self._projections.power_meter:
            return set(self._readings), self._power
        return set(self.balances_wei), self._balance

    def _session(self, session_id: str) -> Session | None:
        return decode(self.sessions[session_id])[0].session

    def _power(self, orchestrator_id: str) -> PowerState | None:
        return decode(self._readings[orchestrator_id])[0].power

    def _balance(self, name: str) -> Balance:
        last, _ = decode(self._moved[name])
        return Balance(name, self.balances_wei[name], last.timestamp_ms, last.seq, self._booked.get(name, {}))


def _refusal(file: JournalFile, line: bytes, before: Position, fault: ValueError) -> Corrupt:
    """What is wrong with ``line``, which stands at ``before``: what every reader would say, else ``fault``."""
    what = decode_lines([line], before).error or fault
    where = place(file.segment.path, before)
    return Corrupt(f"{where}: {what}. Keep a copy of the file, and compare it with a backup")


def _differs(path: Path, name: str, seq: int) -> Corrupt:
    return Corrupt(f"{path} does not show {name} as the journal has it at entry {seq}. {_REMEDY}")
