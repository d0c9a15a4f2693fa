"""What the entries mean in money, and what an operator books by hand."""

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
    """What was booked under a reference: the entry's ``seq``, and by how much it changed the balance."""

    seq: int
    delta_wei: SignedWei


class Balance(Struct, frozen=True, gc=False):
    """What one orchestrator is owed.

    Attributes:
        orchestrator_id: the id in the registry.
        balance_wei: credits less debits; negative only after a correction.
        updated_at_ms: when the entry was recorded that made it so.
        seq: the entry that made it so.
        booked: adjustments and payouts by their ``key``, so that none is ever booked twice.
    """

    orchestrator_id: str
    balance_wei: SignedWei
    updated_at_ms: Moment
    seq: Ordinal
    booked: Annotated[Mapping[str, Booked], HIDDEN] = {}


class Adjustment(NamedTuple):
    """A correction.

    Attributes:
        delta_wei: what it adds; negative: takes away. Not zero.
        reference: the operator's name for it; its idempotency key, for this orchestrator.
        note: why.
    """

    orchestrator_id: str
    delta_wei: int
    reference: str
    note: str

    @property
    def key(self) -> str:
        """What it is booked under."""
        return f"adjustment:{self.reference}"


class Payout(NamedTuple):
    """A payment that was made, of what was owed.

    Attributes:
        amount_wei: above zero.
        tx_hash: of the transaction that paid it, ``0x`` and 64 lower-case hex digits; its idempotency key, for this
            orchestrator: one transaction may pay many.
        note: what the operator has to say about it, or ``None``.
    """

    orchestrator_id: str
    amount_wei: int
    tx_hash: str
    note: str | None = None

    @property
    def delta_wei(self) -> int:
        """What it adds to the balance."""
        return -self.amount_wei

    @property
    def key(self) -> str:
        """What it is booked under."""
        return f"payout:{self.tx_hash}"


Booking: TypeAlias = Adjustment | Payout
