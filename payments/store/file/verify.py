"""Whether the journal holds together, from its first line to its last, and whether the projections show what it says.

What a start checks (checksum, chain, ``seq``), and what it takes for granted: that balances are the sums of what moved
them, that no moment of a session, or of a host's power, is in two intervals. It writes nothing, and asks for the lock
only to see where the journal ends, so it may run beside everything else.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from payments.disk import Disk
from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.errors import Corrupt, Unavailable
from payments.store.file import snapshot
from payments.store.file.codec import Position, decode_lines, decode_to_fold
from payments.store.file.consistency import ConsistencyCheck, Inconsistency, LedgerAccount, Timeline
from payments.store.file.lines import place
from payments.store.file.scan import JournalFile, blocks, journal_files
from payments.store.file.snapshot import Paths, Projection, UnusableProjection
from payments.store.file.verified_line import read_chunk
from payments.store.protocol import Verified

_REMEDY = "Nothing is lost: remove the file, and the next start makes it again"


def verify(disk: Disk, journal_path: Path, projections: Paths) -> Verified:
    """Open a journal, walk through all of it, and let go of it. Raises as ``Verification`` does."""
    with closing(Verification(disk, journal_path, projections)) as verification:
        return verification.run()


class Verification:
    """The journal as it is now, open to be verified; whoever made it closes it."""

    def __init__(self, disk: Disk, journal_path: Path, projections: Paths) -> None:
        """Raises ``Unavailable`` where it cannot be read."""
        self._projections = projections
        # First: what is recorded meanwhile must not be in them and not in the journal.
        self._unsound: list[Exception] = []
        self._shown = snapshot.open_projections(projections, self._unsound.append)
        try:
            self._files = journal_files(disk, journal_path)
        except OSError as error:
            self._close_shown()
            raise Unavailable(f"PAY-D04 {error.filename or journal_path}: cannot be read ({error.strerror})") from error

    def run(self) -> Verified:
        """Walk through all of it. Raises ``Corrupt``, naming file and line of the first fault, and ``Unavailable``."""
        check = _Check(self._projections, self._shown)
        position = Position()
        for file in self._files:
            position = Position(position.seq, 0, position.hash, position.seq + 1)
            if file.first_seq not in (None, position.segment):
                raise Corrupt(
                    f"PAY-J09 {file.segment.path}: the segment before it, with seq {position.segment}, is missing"
                )
            try:
                position = check.walk(file, position)
            except OSError as error:
                raise Unavailable(f"PAY-D04 {file.segment.path}: cannot be read ({error.strerror})") from error
        check.finish()
        for unsound in self._unsound:
            raise Corrupt(f"PAY-J13 {unsound}. {_REMEDY}")
        sessions = sum(session.is_known for session in check.consistency.sessions.values())
        accounts = check.consistency.accounts.items()
        balances_wei = {name: account.balance_wei for name, account in accounts if account.is_known}
        size = sum(file.end for file in self._files)
        return Verified(position.seq, len(self._files), size, sessions, balances_wei, check.compared)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.segment.close()
        self._close_shown()

    def _close_shown(self) -> None:
        for shown in self._shown.values():
            shown.close()


class _Check:
    """What the lines so far add up to, held against the projections.

    Attributes:
        consistency: what they add up to.
        compared: as in ``Verified``.
    """

    def __init__(self, projections: Paths, shown: Mapping[Path, Projection]) -> None:
        self.consistency = ConsistencyCheck()
        self.compared: dict[str, int] = {}
        self._subjects: Mapping[Path, dict[str, Any]] = {
            projections.sessions: self.consistency.sessions,
            projections.balances: self.consistency.accounts,
            projections.power_meter: self.consistency.power,
        }
        self._due = sorted(shown.items(), key=lambda due: due[1].position.seq)
        for path, each in shown.items():
            kind = LedgerAccount if path == projections.balances else Timeline
            # Where it is damaged, that is said when it is compared.
            with suppress(UnusableProjection):
                self._subjects[path].update((name, kind(last)) for name, last in each.last_line_keys())
        self._compare_due(Position())

    def walk(self, file: JournalFile, position: Position) -> Position:
        """The place behind all lines of ``file``, which begins at ``position``."""
        for _, lines in blocks(file):
            rest = lines
            while rest:
                # A projection is compared between two lines.
                count = self._due[0][1].position.seq - position.seq if self._due else len(rest)
                position = self._check_lines(file, rest[:count], position)
                self._compare_due(position)
                rest = rest[count:]
        return position

    def finish(self) -> None:
        """No more lines. Raises ``Corrupt`` where a projection shows more than there is."""
        for path, shown in self._due:
            raise Corrupt(f"PAY-J12 {path} shows entry {shown.position.seq}, which the journal does not have")

    def _check_lines(self, file: JournalFile, lines: Sequence[bytes], position: Position) -> Position:
        """The place behind ``lines``, which begin at ``position``."""
        try:
            said, last_hash = read_chunk(lines, position.seq, position.hash)
        except ValueError as error:
            if len(lines) == 1:
                raise _refusal(file, lines[0], position, error) from error
            for line in lines:
                position = self._check_lines(file, [line], position)
            return position
        try:
            self.consistency.add(lines, said)
        except Inconsistency as fault:
            index = fault.seq - position.seq - 1
            at = Position(fault.seq - 1, position.offset + _size(lines[:index]), said[index].prev, position.segment)
            raise _refusal(file, lines[index], at, fault) from fault
        return Position(position.seq + len(lines), position.offset + _size(lines), last_hash, position.segment)

    def _compare_due(self, position: Position) -> None:
        """Compare what the projections of this very position show with what the lines up to it fold into."""
        while self._due and self._due[0][1].position.seq == position.seq:
            path, shown = self._due.pop(0)
            if shown.position.hash != position.hash:
                raise Corrupt(f"PAY-J13 {path} shows another journal than this one at entry {position.seq}. {_REMEDY}")
            self._compare(path, shown)
            self.compared[str(path)] = position.seq

    def _compare(self, path: Path, shown: Projection) -> None:
        subjects = self._subjects[path]
        missing = {name for name, subject in subjects.items() if subject.is_known}
        try:
            for name, subject in shown.subjects():
                if name not in missing or _folded(name, subjects[name]) != subject:
                    raise _differs(path, name, shown.position.seq)
                missing.remove(name)
        except UnusableProjection as error:
            raise Corrupt(f"PAY-J13 {error}. {_REMEDY}") from error
        if missing:
            raise _differs(path, min(missing), shown.position.seq)


def _folded(name: str, subject: Timeline | LedgerAccount) -> Session | PowerState | Balance | None:
    """What a projection must show of it after the lines so far; ``None``: something else than it does."""
    if not subject.line:
        return None
    last = decode_to_fold(subject.line)
    if isinstance(subject, LedgerAccount):
        return Balance(name, subject.balance_wei, last.timestamp_ms, last.seq, subject.booked)
    return last.session or last.power


def _refusal(file: JournalFile, line: bytes, before: Position, fault: ValueError) -> Corrupt:
    """What is wrong with ``line``, which stands at ``before``: what every reader would say, else ``fault``."""
    what = decode_lines([line], before).error or fault
    where = place(file.segment.path, before)
    return Corrupt(f"PAY-J04 {where}: {what}. Keep a copy of the file, and compare it with a backup")


def _differs(path: Path, name: str, seq: int) -> Corrupt:
    return Corrupt(f"PAY-J13 {path} does not show {name} as the journal has it at entry {seq}. {_REMEDY}")


def _size(lines: Sequence[bytes]) -> int:
    return sum(map(len, lines))
