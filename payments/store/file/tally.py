"""What the lines of the journal add up to, and whether each fits those before it: for ``verify``.

Of the last line about each subject all is of interest, where a projection shows what that line says. To keep every line
until the next one about the same comes takes an eighth of the whole time: so many are moved about in memory. What the
projection shows tells by one member which line that must be, and others are not kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, localcontext

from payments.domain.entries import CREDIT, DEBIT, SESSION_FORGOTTEN
from payments.domain.ledger import Booked
from payments.domain.money import parse_signed_eth
from payments.store.file.said import AMOUNT, Said

# No sum of amounts has as many digits.
_EXACTLY = Context(prec=100, traps=[Inexact])


class Fault(ValueError):
    """What is wrong with a line that was written as it stands.

    Attributes:
        seq: of the line.
    """

    def __init__(self, said: Said, what: str) -> None:
        super().__init__(what)
        self.seq = said.seq


@dataclass(slots=True)
class Timed:
    """What was said of a session, or of a host's power.

    Attributes:
        shown_end: where the interval of the last line about it ends, if the projection is right.
        until: up to where its time is accounted for; times as text stand in the order of the moments.
        is_known: there was a line about it, and none that forgot it since.
        line: the last about it, if that can be the one which the projection shows.
    """

    shown_end: str | None = None
    until: str = ""
    is_known: bool = False
    line: bytes = b""


@dataclass(slots=True)
class Account:
    """What was said of an orchestrator's money.

    Attributes:
        shown_seq: what ``seq`` the last line that moved it has, if the projection is right.
        balance_eth: exact.
        seq: of the last line that moved it; 0: none did.
        line: that line, if it has ``shown_seq``.
    """

    shown_seq: int | None = None
    balance_eth: Decimal = Decimal(0)
    seq: int = 0
    line: bytes = b""
    booked: dict[str, Booked] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether any line moved it."""
        return self.seq > 0

    @property
    def balance_wei(self) -> int:
        """As everywhere else."""
        return int(_EXACTLY.scaleb(self.balance_eth, 18))


class Tally:
    """What the lines so far add up to, by the name of each session, host and orchestrator.

    What may be in it before any line: what the projections show of each.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, Timed] = {}
        self.power: dict[str, Timed] = {}
        self.accounts: dict[str, Account] = {}

    def add(self, lines: Sequence[bytes], said: Sequence[Said]) -> None:
        """Raises ``Fault`` at the first of ``lines`` that says what does not fit those before it."""
        # A loop for each of both: a call for each line takes longer than what is done in it.
        with localcontext(_EXACTLY):
            faults = [fault for fault in (self._add_money(lines, said), self._add_time(lines, said)) if fault]
        if faults:
            raise min(faults, key=lambda fault: fault.seq)

    def _add_money(self, lines: Sequence[bytes], said: Sequence[Said]) -> Fault | None:
        accounts = self.accounts
        for line, each in zip(lines, said, strict=True):
            delta, balance, earner = each.delta, each.balance, each.orchestrator_id
            if delta is None:
                continue
            if earner is None or balance is None:
                return Fault(each, "it moves money, and does not say whose, or what the balance is then")
            account = accounts.get(earner)
            if account is None:
                account = accounts[earner] = Account()
            total = account.balance_eth + Decimal(delta)
            # To spell a sum takes half the time of reading another one. But it keeps zeros at its end, and the smallest
            # are spelled with an exponent, as no balance is.
            if str(total) != balance or "E" in balance:
                if not AMOUNT.fullmatch(balance) or Decimal(balance) != total:
                    return Fault(each, f"its balance is {balance}; the entries add up to {total.normalize():f}")
                total = Decimal(balance)
            event, amount = (DEBIT, delta[1:]) if delta[0] == "-" else (CREDIT, delta)
            if each.event != event or each.amount != amount:
                return Fault(each, f"a {each.event} of {each.amount} that changes the balance by {delta}")
            account.balance_eth = total
            account.seq = each.seq
            account.line = line if each.seq == account.shown_seq else b""
            if each.metadata.booked_as is not None:
                account.booked[each.metadata.booked_as] = Booked(each.seq, parse_signed_eth(delta))
        return None

    def _add_time(self, lines: Sequence[bytes], said: Sequence[Said]) -> Fault | None:
        sessions, power = self.sessions, self.power
        for line, each in zip(lines, said, strict=True):
            if each.session is not None:
                subjects, name = sessions, each.session.id
            elif each.power is not None:
                subjects, name = power, each.power.id
            else:
                continue
            begin, end = each.metadata.interval_start, each.metadata.interval_end
            if begin is None or end is None:
                return Fault(each, "it is about a session or a host's power, and has no interval")
            subject = subjects.get(name)
            if subject is None:
                subject = subjects[name] = Timed()
            if begin < end:
                until = subject.until
                if begin < until:
                    return Fault(each, f"its interval begins at {begin}; {name} is accounted for until {until}")
                subject.until = end
            subject.is_known = each.reason != SESSION_FORGOTTEN
            subject.line = line if end == subject.shown_end else b""
        return None
