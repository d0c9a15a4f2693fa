"""Recorded facts: what one line of the journal says."""

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
"""All of them, for who reads what others have written."""


class Entry(Struct, frozen=True, gc=False):
    """One recorded fact. It carries results, not changes, so folding it twice is folding it once (rule 5.1).

    Attributes:
        seq: 1, 2, 3 … without a hole.
        timestamp_ms: when it was recorded.
        event: ``credit`` or ``debit`` where money moves, else what the fact is about (``session``, ``power``).
        reason: why; for money one of ``session_time``, ``power_time``, ``adjustment``, ``payout``.
        orchestrator_id: whose balance moves, whose power was read, or who the session belongs to; ``None`` if
            unattributed.
        delta_wei: signed change of the balance, and ``balance_wei`` the balance after it; both ``None`` unless money.
        metadata: the explanation, ready to be written: strings, whole numbers, nested objects.
        session: the session after it, where it is about one; ``session_forgotten``: there is none any more.
        power: the power state after it, where it is about one.
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
