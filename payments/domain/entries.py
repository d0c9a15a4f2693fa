"""Recorded facts: one line of the journal each."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from payments.domain.readings import PowerState
from payments.domain.sessions import Session

JSON: TypeAlias = "bool | int | str | list[JSON] | Mapping[str, JSON] | None"

CREDIT, DEBIT, SESSION, POWER = "credit", "debit", "session", "power"
SESSION_TIME, POWER_TIME, ADJUSTMENT, PAYOUT = "session_time", "power_time", "adjustment", "payout"
SESSION_OPENED, SESSION_SEEN, SESSION_CLOSED = "session_opened", "session_seen", "session_closed"
SESSION_REAPED, SESSION_FORGOTTEN = "session_reaped", "session_forgotten"
POWER_READ = "power_read"

EventName: TypeAlias = Literal["credit", "debit", "session", "power"]
ReasonName: TypeAlias = Literal[
    "session_time", "power_time", "adjustment", "payout", "session_opened", "session_seen", "session_closed",
    "session_reaped", "session_forgotten", "power_read",
]  # fmt: skip
"""Every event and reason, for checking lines that another process or version wrote."""


class Entry(Struct, frozen=True, gc=False):
    """One recorded fact. It carries results, not changes, so folding it twice is folding it once (rule 5.1).

    Attributes:
        seq: 1, 2, 3 … without a hole.
        timestamp_ms: when it was recorded.
        event: ``credit`` or ``debit`` where money moves, else what the fact is about (``session``, ``power``).
        reason: why; for money one of ``session_time``, ``power_time``, ``adjustment``, ``payout``.
        orchestrator_id: whose balance changes, whose power was read, or who earns from the session; ``None``:
            unattributed.
        delta_wei: signed change of the balance; ``None`` unless money moves.
        balance_wei: the balance after the entry; ``None`` unless money moves.
        metadata: the explanation, as JSON: strings, whole numbers, nested objects.
        session: the session after the entry, if it is about one; for ``session_forgotten``, the session as it was.
        power: the power state after the entry, if it is about one.
    """

    seq: int
    timestamp_ms: int
    event: str
    reason: str
    orchestrator_id: str | None
    delta_wei: int | None
    balance_wei: int | None
    metadata: Mapping[str, JSON]
    session: Session | None
    power: PowerState | None = None
