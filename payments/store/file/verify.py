"""Whether the journal holds together, from its first line to its last, and whether the projections show what it says.

What a start checks (checksum, chain, ``seq``), and what it takes for granted: that balances are the sums of what moved
them, that no moment of a session, or of a host's power, is in two intervals. It takes no lock and writes nothing, so it
may run beside everything else.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from payments.disk import Disk
from payments.domain.entries import CREDIT, DEBIT, SESSION_FORGOTTEN
from payments.domain.ledger import Balance, Booked
from payments.domain.money import format_eth, read_eth
from payments.domain.times import read_time
from payments.errors import Corrupt, Unavailable
from payments.store.file import snapshot
from payments.store.file.codec import BadLine, Position, UnknownVersion, decode, decode_next, is_whole, subject_at
from payments.store.file.lines import place
from payments.store.file.snapshot import Paths
from payments.store.file.walk import JournalFile, blocks, journal_files

_PREV_BYTES = 64 + len(b'","crc":"00000000"}')


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
        try:
            self._files = journal_files(disk, journal_path)
        except OSError as error:
            raise Unavailable(f"{error.filename or journal_path}: cannot be read ({error.strerror})") from error
        self.size = sum(file.end for file in self._files)

    def run(self, progress: Callable[[int], None]) -> Verified:
        """Walk through all of it. ``progress`` is told how many more bytes were read, now and then.

        Raises ``Corrupt``, naming file and line of the first fault, and ``Unavailable``.
        """
        check = _Check(self._projections)
        position = Position()
        for file in self._files:
            position = Position(position.seq, 0, position.hash, position.seq + 1)
            if file.first_seq not in (None, position.segment):
                raise Corrupt(f"{file.segment.path}: the segment before it, with seq {position.segment}, is missing")
            try:
                position = check.walk(file, position, progress)
            except OSError as error:
                raise Unavailable(f"{file.segment.path}: cannot be read ({error.strerror})") from error
        check.close()
        return Verified(position.seq, len(self._files), len(check.sessions), check.balances_wei, check.compared)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.segment.close()


class _Fault(Exception):
    """What is wrong with a line that was written as it stands."""


class _Check:
    """What the lines so far say.

    Attributes:
        balances_wei, compared: as in ``Verified``.
        sessions, power: the last line about each session that is not forgotten, and about each host's power.
    """

    def __init__(self, projections: Paths) -> None:
        self.balances_wei: dict[str, int] = {}
        self.compared: dict[Path, int] = {}
        self.sessions: dict[str, bytes] = {}
        self.power: dict[str, bytes] = {}
        self._moved: dict[str, tuple[int, str]] = {}
        self._booked: dict[str, dict[str, Booked]] = {}
        # Up to where each session, and each host's power, is accounted for; times as text stand in the same order.
        self._until: dict[tuple[str, str], str] = {}
        self._projections = projections
        shown = snapshot.read_each(projections)
        self._due = sorted(((each.position, path, each.subjects) for path, each in shown.items()), key=itemgetter(0))
        self._compare_due(0)

    def walk(self, file: JournalFile, begin: Position, progress: Callable[[int], None]) -> Position:
        """``begin``, the position before the lines of ``file``, with ``seq`` and ``hash`` of the last of them."""
        path, seq, prev = file.segment.path, begin.seq, begin.hash.encode()
        for offset, lines in blocks(file, progress):
            at = offset
            for line in lines:
                seq += 1
                whole = line + b"\n"
                is_sound = (
                    is_whole(whole)
                    and line[-_PREV_BYTES : -_PREV_BYTES + 64] == prev
                    and line.startswith(b'{"seq":%d,' % seq)
                )
                try:
                    if not is_sound:
                        decode_next(whole, Position(seq - 1, at, prev.decode(), begin.segment))
                    self._check(seq, line)
                except (_Fault, BadLine, UnknownVersion, KeyError, TypeError, ValueError) as fault:
                    raise Corrupt(f"{place(path, Position(seq - 1, at, '', begin.segment))}: {fault}") from fault
                prev = sha256(whole).hexdigest().encode()
                at += len(whole)
                if self._due and self._due[0][0].seq == seq:
                    self._compare_due(seq)
        return begin._replace(seq=seq, hash=prev.decode())

    def close(self) -> None:
        """No more lines. Raises ``Corrupt`` where a projection shows more than there is."""
        for position, path, _ in self._due:
            raise Corrupt(f"{path} shows entry {position.seq}, which the journal does not have")

    def _check(self, seq: int, line: bytes) -> None:
        """Whether what ``line`` says fits what those before it said."""
        cut = subject_at(line)
        entry = orjson.loads(line if cut < 0 else line[:cut] + b"}")
        metadata, reason = entry["metadata"], entry["reason"]
        if "delta" in entry:
            self._check_money(seq, entry)
        if cut >= 0:
            session_id = metadata.get("session_id")
            subject = ("power", entry["orchestrator_id"]) if session_id is None else ("session", session_id)
            begin, end = metadata["interval_start"], metadata["interval_end"]
            if begin < end:
                if begin < self._until.get(subject, ""):
                    raise _Fault(
                        f"its interval begins at {begin}; {subject[1]} is accounted for until {self._until[subject]}"
                    )
                self._until[subject] = end
            if session_id is None:
                self.power[entry["orchestrator_id"]] = line
            elif reason == SESSION_FORGOTTEN:
                self.sessions.pop(session_id, None)
            else:
                self.sessions[session_id] = line

    def _check_money(self, seq: int, entry: Mapping[str, Any]) -> None:
        earner, delta = entry["orchestrator_id"], entry["delta"]
        delta_wei = _read_delta(delta)
        balance_wei = self.balances_wei.get(earner, 0) + delta_wei
        if read_eth(entry["balance"]) != balance_wei:
            raise _Fault(f"its balance is {entry['balance']}; the entries add up to {format_eth(balance_wei)}")
        if entry["amount"] != delta.removeprefix("-") or entry["event"] != (DEBIT if delta_wei < 0 else CREDIT):
            raise _Fault(f"a {entry['event']} of {entry['amount']} that changes the balance by {delta}")
        self.balances_wei[earner] = balance_wei
        self._moved[earner] = seq, entry["timestamp"]
        if (key := entry["metadata"].get("booked_as")) is not None:
            self._booked.setdefault(earner, {})[key] = Booked(seq, delta_wei)

    def _compare_due(self, seq: int) -> None:
        """Compare what the projections of this very position show with what the lines up to it fold into."""
        while self._due and self._due[0][0].seq == seq:
            _, path, shown = self._due.pop(0)
            folded = self._folded(path)
            for name in sorted({*folded, *shown}):
                if folded.get(name) != shown.get(name):
                    raise Corrupt(
                        f"{path} does not show {name} as the journal has it at entry {seq}. Nothing is lost: remove "
                        f"the file, and the next start makes it again"
                    )
            self.compared[path] = seq

    def _folded(self, path: Path) -> dict[str, Any]:
        """What the projection at ``path`` must show after the lines so far."""
        if path == self._projections.sessions:
            return {name: decode(line + b"\n")[0].session for name, line in self.sessions.items()}
        if path == self._projections.power_meter:
            return {name: decode(line + b"\n")[0].power for name, line in self.power.items()}
        return {
            name: Balance(
                name, balance_wei, read_time(self._moved[name][1]), self._moved[name][0], self._booked.get(name, {})
            )
            for name, balance_wei in self.balances_wei.items()
        }


# Heartbeats at their usual distance earn the same again and again.
_read_delta = lru_cache(maxsize=4096)(read_eth)
