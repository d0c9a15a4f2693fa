"""Verifies the whole journal, and that the projections agree with it.

Checks what every start checks (checksum, chain, ``seq``), and also that balances are the sums of their changes and that
no moment of a session or of a host's power is in two intervals. Writes nothing, and takes the lock only to see where
the journal ends, so everything else may go on meanwhile.
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
from payments.store.file.scan import ListedSegment, journal_files, line_chunks
from payments.store.file.snapshot import Paths, Projection, UnusableProjection
from payments.store.file.verified_line import read_chunk
from payments.store.protocol import Verified

_REMEDY = "Nothing is lost: remove the file, and the next start makes it again"


def verify(disk: Disk, journal_path: Path, projections: Paths) -> Verified:
    """Open the journal, verify it and close it. Raises ``Corrupt`` and ``Unavailable``."""
    with closing(Verification(disk, journal_path, projections)) as verification:
        return verification.run()


class Verification:
    """The journal as it was when this was opened. The caller closes it."""

    def __init__(self, disk: Disk, journal_path: Path, projections: Paths) -> None:
        """Raises ``Unavailable`` if the journal cannot be read."""
        self._projections = projections
        # Projections first: they must not show entries recorded after the journal's files are listed.
        self._unusable: list[Exception] = []
        self._shown = snapshot.open_projections(projections, self._unusable.append)
        try:
            self._files = journal_files(disk, journal_path)
        except OSError as error:
            self._close_shown()
            raise Unavailable(f"PAY-D04 {error.filename or journal_path}: cannot be read ({error.strerror})") from error

    def run(self) -> Verified:
        """Verify everything. Raises ``Unavailable``, and ``Corrupt`` with file and line of the first fault."""
        check = _Check(self._projections, self._shown)
        position = Position()
        for file in self._files:
            position = Position(position.seq, 0, position.hash, position.seq + 1)
            if file.first_seq not in (None, position.segment):
                raise Corrupt(
                    f"PAY-J09 {file.segment.path}: the segment before it, with seq {position.segment}, is missing"
                )
            try:
                position = check.check_file(file, position)
            except OSError as error:
                raise Unavailable(f"PAY-D04 {file.segment.path}: cannot be read ({error.strerror})") from error
        check.finish()
        for unusable in self._unusable:
            raise Corrupt(f"PAY-J13 {unusable}. {_REMEDY}")
        sessions = sum(session.is_known for session in check.consistency.sessions.values())
        accounts = check.consistency.accounts.items()
        balances_wei = {name: account.balance_wei for name, account in accounts if account.is_known}
        size = sum(file.end for file in self._files)
        return Verified(position.seq, len(self._files), size, sessions, balances_wei, check.compared)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.segment.close()
        self._close_shown()

    def _close_shown(self) -> None:
        for shown in self._shown.values():
            shown.close()


class _Check:
    """Checks the lines one after the other, and each projection when its position is reached.

    Attributes:
        consistency: the totals over the lines so far.
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
            # A damaged projection is reported when it is compared.
            with suppress(UnusableProjection):
                self._subjects[path].update((name, kind(last)) for name, last in each.last_line_keys())
        self._compare_due(Position())

    def check_file(self, file: ListedSegment, position: Position) -> Position:
        """Check all lines of ``file``, which begins at ``position``; the position after them."""
        for _, lines in line_chunks(file):
            rest = lines
            while rest:
                # Stop at the position of the next projection to compare it there.
                count = self._due[0][1].position.seq - position.seq if self._due else len(rest)
                position = self._check_lines(file, rest[:count], position)
                self._compare_due(position)
                rest = rest[count:]
        return position

    def finish(self) -> None:
        """After the last line: raises ``Corrupt`` if a projection shows more entries than the journal has."""
        for path, shown in self._due:
            raise Corrupt(f"PAY-J12 {path} shows entry {shown.position.seq}, which the journal does not have")

    def _check_lines(self, file: ListedSegment, lines: Sequence[bytes], position: Position) -> Position:
        """Check ``lines``, which begin at ``position``; the position after them."""
        try:
            verified, last_hash = read_chunk(lines, position.seq, position.hash)
        except ValueError as error:
            if len(lines) == 1:
                raise _refusal(file, lines[0], position, error) from error
            for line in lines:
                position = self._check_lines(file, [line], position)
            return position
        try:
            self.consistency.add(lines, verified)
        except Inconsistency as fault:
            index = fault.seq - position.seq - 1
            at = Position(fault.seq - 1, position.offset + _size(lines[:index]), verified[index].prev, position.segment)
            raise _refusal(file, lines[index], at, fault) from fault
        return Position(position.seq + len(lines), position.offset + _size(lines), last_hash, position.segment)

    def _compare_due(self, position: Position) -> None:
        """Compare the projections that show the journal up to exactly ``position``."""
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
    """What the projection must show after the lines so far; ``None`` if it names another line as the last."""
    if not subject.line:
        return None
    last = decode_to_fold(subject.line)
    if isinstance(subject, LedgerAccount):
        return Balance(name, subject.balance_wei, last.timestamp_ms, last.seq, subject.booked)
    return last.session or last.power


def _refusal(file: ListedSegment, line: bytes, before: Position, fault: ValueError) -> Corrupt:
    """The error for ``line`` at position ``before``: what decoding it reports, or else ``fault``."""
    what = decode_lines([line], before).error or fault
    where = place(file.segment.path, before)
    return Corrupt(f"PAY-J04 {where}: {what}. Keep a copy of the file, and compare it with a backup")


def _differs(path: Path, name: str, seq: int) -> Corrupt:
    return Corrupt(f"PAY-J13 {path} does not show {name} as the journal has it at entry {seq}. {_REMEDY}")


def _size(lines: Sequence[bytes]) -> int:
    return sum(map(len, lines))
