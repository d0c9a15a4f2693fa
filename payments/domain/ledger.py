"""Balances, and the commands by which an operator changes them: adjustments and payouts."""

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple, TypeAlias

from msgspec import Struct

from payments.domain.units import HIDDEN, Moment, Ordinal, SignedWei

TX_HASH = "0x[0-9a-fA-F]{64}"


def canonical_tx_hash(text: str) -> str:
    """The lower-case spelling of a transaction's hash; ``ValueError`` for anything else."""
    if not re.fullmatch(TX_HASH, text):
        raise ValueError(f'"{text[:80]}" is not a transaction hash: 0x and 64 hex digits')
    return text.lower()


class Booked(NamedTuple):
    """The entry that an adjustment or payout became: its ``seq``, and by how much it changed the balance."""

    seq: int
    delta_wei: SignedWei


class Balance(Struct, frozen=True, gc=False):
    """What one orchestrator is owed.

    Attributes:
        orchestrator_id: the id in the registry.
        balance_wei: credits less debits; negative only after a correction.
        updated_at_ms: when the last entry that changed it was recorded.
        seq: of that entry.
        booked: adjustments and payouts by their ``key``, so that none is booked twice.
    """

    orchestrator_id: str
    balance_wei: SignedWei
    updated_at_ms: Moment
    seq: Ordinal
    booked: Annotated[Mapping[str, Booked], HIDDEN] = {}


class Adjustment(NamedTuple):
    """A correction.

    Attributes:
        delta_wei: the change of the balance; negative to reduce it. Not zero.
        reference: the operator's name for it; the idempotency key within this orchestrator.
        note: why.
    """

    orchestrator_id: str
    delta_wei: int
    reference: str
    note: str

    @property
    def key(self) -> str:
        """Its key in ``Balance.booked``."""
        return f"adjustment:{self.reference}"


class Payout(NamedTuple):
    """A payment that was made.

    Attributes:
        amount_wei: above zero.
        tx_hash: of the transaction that paid it, ``0x`` and 64 lower-case hex digits; the idempotency key within this
            orchestrator, because one transaction may pay many.
        note: the operator's remark, or ``None``.
    """

    orchestrator_id: str
    amount_wei: int
    tx_hash: str
    note: str | None = None

    @property
    def delta_wei(self) -> int:
        """The change of the balance."""
        return -self.amount_wei

    @property
    def key(self) -> str:
        """Its key in ``Balance.booked``."""
        return f"payout:{self.tx_hash}"


Booking: TypeAlias = Adjustment | Payout
