"""Whether the journal holds together, from its first line to its last, and whether the projections show what it says.

What a start checks (checksum, chain, ``seq``), and what it takes for granted: that balances are the sums of what moved
them, that no moment of a session, or of a host's power, is in two intervals. It takes no lock and writes nothing, so it
may run beside everything else.
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from payments.disk import Disk
from payments.domain.entries import CREDIT, DEBIT, SESSION_FORGOTTEN
from payments.domain.ledger import Balance, Booked
from payments.domain.money import format_eth, read_eth
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.domain.times import read_time
from payments.errors import Corrupt, Unavailable
from payments.store.file import snapshot
from payments.store.file.codec import (
    POWER_MARK,
    SESSION_MARK,
    BadLine,
    Position,
    UnknownVersion,
    decode,
    decode_next,
    is_whole,
    named_subject,
    subject_at,
    subject_name,
    subject_of,
)
from payments.store.file.lines import place
from payments.store.file.snapshot import Paths, Shown, Unusable
from payments.store.file.walk import JournalFile, blocks, journal_files

_METADATA = b',"metadata":'
_INTERVAL = re.compile(rb'"interval_start":"([^"]+)","interval_end":"([^"]+)"')
_REMEDY = "Nothing is lost: remove the file, and the next start makes it again"
_PREV_BYTES = 64 + len(b'","crc":"00000000"}\n')


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


class _Fault(Exception):
    """What is wrong with a line that was written as it stands."""


class _Check:
    """What the lines so far say.

    Of a line only what is compared is parsed: the part before its metadata, and the interval. The part about its
    session is of interest in the last line about each, and only where a projection is compared.

    Attributes:
        balances_wei, compared: as in ``Verified``.
        sessions: the last line about each that is not forgotten.
    """

    def __init__(self, projections: Paths, shown: Mapping[Path, Shown]) -> None:
        self.balances_wei: dict[str, int] = {}
        self.compared: dict[Path, int] = {}
        self.sessions: dict[bytes, bytes] = {}
        self._readings: dict[bytes, bytes] = {}
        self._moved: dict[str, tuple[int, str]] = {}
        self._booked: dict[str, dict[str, Booked]] = {}
        # Up to where each session, and each host's power, is accounted for; times as text stand in the same order.
        self._until: dict[bytes, bytes] = {}
        self._projections = projections
        self._due = sorted(shown.items(), key=lambda due: due[1].position.seq)
        self._compare_due(0)

    def walk(self, file: JournalFile, begin: Position, progress: Callable[[int], None]) -> Position:
        """``begin``, the position before the lines of ``file``, with ``seq`` and ``hash`` of the last of them."""
        seq, prev = begin.seq, begin.hash.encode()
        for offset, lines in blocks(file, progress):
            at = offset
            for line in lines:
                seq += 1
                try:
                    if not (
                        is_whole(line)
                        and line[-_PREV_BYTES : -_PREV_BYTES + 64] == prev
                        and line.startswith(b'{"seq":%d,' % seq)
                    ):
                        decode_next(line, Position(seq - 1, at, prev.decode(), begin.segment))
                    self._check(seq, line)
                except (_Fault, BadLine, UnknownVersion, KeyError, TypeError, ValueError) as fault:
                    where = place(file.segment.path, Position(seq - 1, at, prev.decode(), begin.segment))
                    raise Corrupt(f"{where}: {fault}. Keep a copy of the file, and compare it with a backup") from fault
                prev = sha256(line).hexdigest().encode()
                at += len(line)
                if self._due and self._due[0][1].position.seq == seq:
                    self._compare_due(seq)
        return begin._replace(seq=seq, hash=prev.decode())

    def finish(self) -> None:
        """No more lines. Raises ``Corrupt`` where a projection shows more than there is."""
        for path, shown in self._due:
            raise Corrupt(f"{path} shows entry {shown.position.seq}, which the journal does not have")

    def _check(self, seq: int, line: bytes) -> None:
        """Whether what ``line`` says fits what those before it said."""
        metadata = line.index(_METADATA)
        entry = orjson.loads(line[:metadata] + b"}")
        at = subject_at(line, metadata)
        if "delta" in entry:
            self._check_money(seq, entry)
            if at < 0 and isinstance(key := decode(line)[0].metadata.get("booked_as"), str):
                self._booked.setdefault(entry["orchestrator_id"], {})[key] = Booked(seq, read_eth(entry["delta"]))
        if at >= 0:
            subject = subject_of(line, at)
            self._check_interval(subject, line, metadata, at)
            if subject.startswith(POWER_MARK):
                self._readings[subject] = line
            elif entry["reason"] == SESSION_FORGOTTEN:
                self.sessions.pop(subject, None)
            else:
                self.sessions[subject] = line

    def _check_interval(self, subject: bytes, line: bytes, begin_at: int, end_at: int) -> None:
        interval = _INTERVAL.search(line, begin_at, end_at)
        if interval is None:
            raise _Fault("it is about a session or a host's power, and has no interval")
        begin, end = interval.groups()
        if begin < end:
            until = self._until.get(subject, b"")
            if begin < until:
                raise _Fault(
                    f"its interval begins at {begin.decode()}; {subject_name(subject)} is accounted for until "
                    f"{until.decode()}"
                )
            self._until[subject] = end

    def _check_money(self, seq: int, entry: Mapping[str, Any]) -> None:
        earner, delta, balance = entry["orchestrator_id"], entry["delta"], entry["balance"]
        delta_wei = read_eth(delta)
        balance_wei = self.balances_wei.get(earner, 0) + delta_wei
        if read_eth(balance) != balance_wei:
            raise _Fault(f"its balance is {balance}; the entries add up to {format_eth(balance_wei)}")
        if entry["amount"] != delta.removeprefix("-") or entry["event"] != (DEBIT if delta_wei < 0 else CREDIT):
            raise _Fault(f"a {entry['event']} of {entry['amount']} that changes the balance by {delta}")
        self.balances_wei[earner] = balance_wei
        self._moved[earner] = seq, entry["timestamp"]

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
            return set(map(subject_name, self.sessions)), self._session
        if path == self._projections.power_meter:
            return set(map(subject_name, self._readings)), self._power
        return set(self.balances_wei), self._balance

    def _session(self, session_id: str) -> Session | None:
        return decode(self.sessions[named_subject(SESSION_MARK, session_id)])[0].session

    def _power(self, orchestrator_id: str) -> PowerState | None:
        return decode(self._readings[named_subject(POWER_MARK, orchestrator_id)])[0].power

    def _balance(self, name: str) -> Balance:
        seq, timestamp = self._moved[name]
        return Balance(name, self.balances_wei[name], read_time(timestamp), seq, self._booked.get(name, {}))


def _differs(path: Path, name: str, seq: int) -> Corrupt:
    return Corrupt(f"{path} does not show {name} as the journal has it at entry {seq}. {_REMEDY}")
