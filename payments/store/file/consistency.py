"""Checks that each line of the journal is consistent with the lines before it, for ``verify``.

To compare a projection, the last line about each session, host and orchestrator must be kept. Keeping every line until
the next about the same subject would take an eighth of the whole time. So the projection's record tells beforehand, by
one of its fields, which line must be the last, and only that one is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, localcontext

from payments.domain.entries import (
    ADJUSTMENT,
    CREDIT,
    DEBIT,
    PAYOUT,
    POWER_TIME,
    SESSION_FORGOTTEN,
    SESSION_OPENED,
    SESSION_TIME,
)
from payments.domain.ledger import Booked
from payments.domain.money import parse_signed_eth
from payments.store.file.verified_line import AMOUNT, VerifiedLine

_MONEY = (CREDIT, DEBIT)
_BOOKED = (ADJUSTMENT, PAYOUT)
_CREDITS = frozenset((CREDIT, reason) for reason in (SESSION_TIME, POWER_TIME, ADJUSTMENT))
_DEBITS = frozenset((DEBIT, reason) for reason in _BOOKED)

# More digits than any sum of amounts has; inexact results raise.
_EXACTLY = Context(prec=100, traps=[Inexact])


class Inconsistency(ValueError):
    """A line with a valid checksum contradicts the lines before it.

    Attributes:
        seq: of the line.
    """

    def __init__(self, verified: VerifiedLine, what: str) -> None:
        super().__init__(what)
        self.seq = verified.seq


@dataclass(slots=True)
class Timeline:
    """The intervals of one session or of one host's power. Times are RFC 3339 text, which sorts as the moments do.

    Attributes:
        shown_end: end of the last line's interval according to the projection.
        until: up to here time is accounted for.
        is_known: there was a line about it, and it was not purged since.
        line: the last line about it if its interval ends at ``shown_end``, else empty.
    """

    shown_end: str | None = None
    until: str = ""
    is_known: bool = False
    line: bytes = b""


@dataclass(slots=True)
class LedgerAccount:
    """The balance of one orchestrator.

    Attributes:
        shown_seq: ``seq`` of the last line that changed the balance according to the projection.
        balance_eth: the sum of all changes, exact.
        seq: of the last line that changed it; 0: none did.
        line: that line if it has ``shown_seq``, else empty.
        booked: adjustments and payouts by key.
    """

    shown_seq: int | None = None
    balance_eth: Decimal = Decimal(0)
    seq: int = 0
    line: bytes = b""
    booked: dict[str, Booked] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether any line changed the balance."""
        return self.seq > 0

    def book(self, key: str, verified: VerifiedLine) -> str | None:
        """Note the booking under ``key``. Returns what is wrong with it, or ``None``."""
        if key in self.booked:
            return f"{key} is booked by entry {self.booked[key].seq} already"
        if verified.reason == PAYOUT and self.balance_eth < 0:
            return f"it pays {verified.amount}, of which {-self.balance_eth:f} was not owed"
        self.booked[key] = Booked(verified.seq, parse_signed_eth(str(verified.delta)))
        return None

    @property
    def balance_wei(self) -> int:
        """The balance in wei."""
        return int(_EXACTLY.scaleb(self.balance_eth, 18))


class ConsistencyCheck:
    """Running totals over the lines so far, by session, host and orchestrator.

    May be filled beforehand with what the projections show (``shown_end``, ``shown_seq``).
    """

    def __init__(self) -> None:
        self.sessions: dict[str, Timeline] = {}
        self.power: dict[str, Timeline] = {}
        self.accounts: dict[str, LedgerAccount] = {}

    def add(self, lines: Sequence[bytes], verified: Sequence[VerifiedLine]) -> None:
        """Add ``lines``, given raw and parsed. Raises ``Inconsistency`` for the first that contradicts those before."""
        # Two loops over the chunk: calling two functions per line takes longer than their work.
        with localcontext(_EXACTLY):
            faults = [fault for fault in (self._add_money(lines, verified), self._add_time(lines, verified)) if fault]
        if faults:
            raise min(faults, key=lambda fault: fault.seq)

    def _add_money(self, lines: Sequence[bytes], verified: Sequence[VerifiedLine]) -> Inconsistency | None:
        accounts = self.accounts
        for line, each in zip(lines, verified, strict=True):
            delta, balance, earner = each.delta, each.balance, each.orchestrator_id
            if delta is None and balance is None and each.amount is None and each.event not in _MONEY:
                continue
            if delta is None or balance is None or earner is None:
                return Inconsistency(
                    each, "it moves money, and does not say whose, by how much, or what the balance is then"
                )
            account = accounts.get(earner) or accounts.setdefault(earner, LedgerAccount())
            total = account.balance_eth + Decimal(delta)
            # Comparing texts is faster than parsing the balance, but fails if the sum has trailing zeros or is so small
            # that Decimal writes it with an exponent: then compare numbers.
            if str(total) != balance or "E" in balance:
                if not AMOUNT.fullmatch(balance) or Decimal(balance) != total:
                    return Inconsistency(each, f"its balance is {balance}; the entries add up to {total.normalize():f}")
                total = Decimal(balance)
            kinds, amount = (_DEBITS, delta[1:]) if delta[0] == "-" else (_CREDITS, delta)
            if (each.event, each.reason) not in kinds or each.amount != amount:
                return Inconsistency(
                    each, f"a {each.event} of {each.amount}, a {each.reason}, that changes the balance by {delta}"
                )
            account.balance_eth = total
            account.seq = each.seq
            account.line = line if each.seq == account.shown_seq else b""
            if each.metadata.booked_as is not None and (why := account.book(each.metadata.booked_as, each)):
                return Inconsistency(each, why)
        return None

    def _add_time(self, lines: Sequence[bytes], verified: Sequence[VerifiedLine]) -> Inconsistency | None:
        sessions, power = self.sessions, self.power
        for line, each in zip(lines, verified, strict=True):
            if each.session is not None:
                subjects, name = sessions, each.session.id
            elif each.power is not None:
                subjects, name = power, each.power.id
            elif each.reason in _BOOKED:
                continue
            else:
                return Inconsistency(
                    each, f"with the reason {each.reason} it says nothing of a session or a host's power"
                )
            begin, end = each.metadata.interval_start, each.metadata.interval_end
            if begin is None or end is None:
                return Inconsistency(each, "it is about a session or a host's power, and has no interval")
            subject = subjects.get(name)
            if subject is None:
                subject = subjects[name] = Timeline()
            until = subject.until
            if (begin != until or begin > end) and (why := _misplaced(each, begin, end, until)):
                return Inconsistency(each, f"the interval of {name} begins at {begin}{why}")
            if begin != end or each.reason == SESSION_OPENED:
                subject.until = max(until, end)
            subject.is_known = each.reason != SESSION_FORGOTTEN
            subject.line = line if end == subject.shown_end else b""
        return None


def _misplaced(verified: VerifiedLine, begin: str, end: str, until: str) -> str | None:
    """Why ``begin`` to ``end`` cannot come next if time is accounted for until ``until``; ``None``: it can."""
    if begin > end:
        return f" and ends at {end}"
    if begin < until and begin != end:
        return f"; all is accounted for until {until}"
    # Gaps are allowed between two incarnations of a session, and between two readings of power.
    if begin > until and until and verified.session is not None and verified.reason != SESSION_OPENED:
        return f"; all is accounted for until {until} only"
    return None
