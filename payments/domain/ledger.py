"""What the entries mean in money."""

from typing import NamedTuple


class Balance(NamedTuple):
    """What one orchestrator is owed.

    Attributes:
        balance_wei: credits less debits; negative only after a correction.
        updated_at_ms: when the entry was recorded that made it so, and ``seq`` that entry.
    """

    orchestrator_id: str
    balance_wei: int
    updated_at_ms: int
    seq: int
