"""Decides what an adjustment or a payout becomes."""

from payments.domain.decisions import DUPLICATE, RECORDED, Decision, Outcome, Terms
from payments.domain.entries import ADJUSTMENT, CREDIT, DEBIT, JSON, PAYOUT, Entry
from payments.domain.ledger import Adjustment, Balance, Booked, Booking
from payments.domain.money import format_eth
from payments.domain.state import State
from payments.errors import Rejected


def decide_booking(command: Booking, state: State, terms: Terms, now_ms: int) -> Decision:
    """Decide ``command`` against the balance of its orchestrator (rules 5.5 and 5.6). ``now_ms`` dates the entry.

    Raises ``Rejected`` (``conflict``) if its key was used for another amount, or a payout exceeds what is owed.
    """
    earner, delta_wei, seq = command.orchestrator_id, command.delta_wei, state.seq + 1
    balance = state.balances.get(earner) or Balance(earner, 0, now_ms, 0)
    if (booked := balance.booked.get(command.key)) is not None:
        if booked.delta_wei != delta_wei:
            raise _conflict(command, f"was booked as {format_eth(booked.delta_wei)} before, by entry {booked.seq}")
        return Decision(Outcome(DUPLICATE, balance), ())
    after_wei = balance.balance_wei + delta_wei
    if not isinstance(command, Adjustment) and after_wei < 0:
        complaint = f"{format_eth(-delta_wei)} is more than the {format_eth(balance.balance_wei)} that {earner} is owed"
        raise Rejected("conflict", complaint, {"amount": [complaint]})
    entry = Entry(
        seq, now_ms,
        CREDIT if delta_wei > 0 else DEBIT,
        ADJUSTMENT if isinstance(command, Adjustment) else PAYOUT,
        earner, delta_wei, after_wei, _metadata(command, terms), None,
    )  # fmt: skip
    after = Balance(earner, after_wei, now_ms, seq, {**balance.booked, command.key: Booked(seq, delta_wei)})
    return Decision(Outcome(RECORDED, after), (entry,))


def _metadata(command: Booking, terms: Terms) -> dict[str, JSON]:
    name, key = _key_field(command)
    return {"booked_as": command.key, name: key, "note": command.note, "credit_unit": terms.credit_unit}


def _conflict(command: Booking, why: str) -> Rejected:
    name, key = _key_field(command)
    return Rejected("conflict", f'{name} "{key}" {why}', {name: [f'"{key}" {why}']})


def _key_field(command: Booking) -> tuple[str, str]:
    """The name of the field that holds the idempotency key, and the key."""
    return ("reference", command.reference) if isinstance(command, Adjustment) else ("tx_hash", command.tx_hash)
