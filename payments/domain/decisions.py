"""What every decision takes (``Terms``) and returns (``Decision``), whatever the command."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from payments.domain.entries import Entry
from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import Session

RECORDED, DUPLICATE, LATE = "recorded", "duplicate", "late"


class Terms(NamedTuple):
    """What decisions depend on besides the command, the state and the time.

    Attributes:
        rate_wei_per_minute: what a minute of session time earns; 0: sessions are recorded, nothing is credited.
        credit_unit: label on entries.
        max_gap_ms: silence longer than this is not credited at all; 0: no limit.
        max_event_age_ms: how long before its receipt an ``occurred_at`` is still credited.
        keep_ms: sessions are kept for at least this long after their last event, so a session that is not known was
            billed for nothing more recent.
        attribution: orchestrator id by ``host_public_ip``, as ``canonical_ip`` spells it.
        require_awake: whether session time earns only while readings show the orchestrator awake.
        power_rate_wei_per_minute: what a minute of powered-on time earns; 0: nothing.
        power_max_gap_ms: two readings further apart credit nothing, and a reading is valid for no longer.
    """

    rate_wei_per_minute: int = 0
    credit_unit: str = "eth"
    max_gap_ms: int = 0
    max_event_age_ms: int = 86_400_000
    keep_ms: int = 7 * 86_400_000
    attribution: Mapping[str, str] = {}
    require_awake: bool = False
    power_rate_wei_per_minute: int = 0
    power_max_gap_ms: int = 180_000


class Outcome(Struct, frozen=True, gc=False):
    """The answer to a command.

    Attributes:
        kind: ``recorded``, ``duplicate`` or ``late`` (rule 4.15).
        subject: the session, power state or balance that the command was about, as it is after the command.
    """

    kind: str
    subject: Session | PowerState | Balance

    @property
    def session(self) -> Session:
        """The subject of a command about a session."""
        assert isinstance(self.subject, Session)
        return self.subject

    @property
    def balance(self) -> Balance:
        """The subject of an adjustment or a payout."""
        assert isinstance(self.subject, Balance)
        return self.subject

    @property
    def power(self) -> PowerState:
        """The subject of a reading."""
        assert isinstance(self.subject, PowerState)
        return self.subject


class Decision(NamedTuple):
    """The answer to a command, and the entries that must be on disk before the answer is sent."""

    outcome: Outcome
    entries: tuple[Entry, ...]
