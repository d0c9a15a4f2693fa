"""Drives the pure core by short commands, for stories."""

from typing import Any, NamedTuple

from payments.domain.commands import Command, decide
from payments.domain.decisions import Outcome, Terms
from payments.domain.entries import CREDIT, Entry
from payments.domain.money import parse_eth
from payments.domain.readings import AWAKE, PowerState, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import Session, SessionEvent
from payments.domain.state import State, evolve
from tests.harness import NOON_MS, TERMS, event

MINUTE_MS = 60_000
MINUTE_WEI = parse_eth("0.001")
"""Earnings of a minute under ``TERMS``."""


def at(second: int) -> int:
    """``second`` of the story in milliseconds; the story begins at noon."""
    return NOON_MS + second * 1000


class TimeUse(NamedTuple):
    """How the time of a session, or of an orchestrator's power, was used."""

    elapsed_ms: int
    billed_ms: int
    unbilled_ms: dict[str, int]


class LedgerDriver:
    """Decides commands against a state and folds the resulting entries.

    Attributes:
        terms: terms of the next command; ``entries``: all recorded entries, oldest first.
    """

    def __init__(self, terms: Terms = TERMS) -> None:
        self.terms = terms
        self.state = State()
        self.entries: list[Entry] = []

    def execute(self, command: Command, now_ms: int) -> Outcome:
        """Decide and record ``command``."""
        outcome, entries = decide(command, self.state, self.terms, now_ms)
        for entry in entries:
            evolve(self.state, entry)
        self.entries += entries
        return outcome

    def tell(self, said: SessionEvent) -> Outcome:
        """Decide and record the event ``said`` at the time of its receipt."""
        return self.execute(said, said.received_at_ms)

    def report(self, kind: str, second: int, occurred: int | None = None, **fields: Any) -> str:
        """Report an event received at ``second`` that claims ``occurred``; return the outcome's kind."""
        occurred_at_ms = None if occurred is None else at(occurred)
        return self.tell(event(kind=kind, at_ms=at(second), occurred_at_ms=occurred_at_ms, **fields)).kind

    def reap(self, session_id: str = "s-1") -> str:
        """Close a session as the reaper does (rule 4.14), an hour after its last event."""
        seen_ms = self.session(session_id).last_seen_at_ms
        return self.execute(CloseStale(session_id, seen_ms), seen_ms + 60 * MINUTE_MS).kind

    def forget(self, session_id: str = "s-1") -> str:
        """Drop an ended session, a week after its last event."""
        seen_ms = self.session(session_id).last_seen_at_ms
        return self.execute(PurgeEnded(session_id, seen_ms), seen_ms + 7 * 24 * 60 * MINUTE_MS).kind

    def read(
        self, second: int, state: str = AWAKE, *, orchestrator_id: str = "orch-a", detail: str | None = None
    ) -> str:
        """Record a reading made at ``second``; return the outcome's kind."""
        return self.execute(Reading(orchestrator_id, state, at(second), detail), at(second)).kind

    def power(self, orchestrator_id: str = "orch-a") -> PowerState:
        """The orchestrator's power state."""
        return self.state.power[orchestrator_id]

    def metered(self, orchestrator_id: str = "orch-a") -> TimeUse:
        """Its metered time so far, checked to add up."""
        power = self.power(orchestrator_id)
        assert power.billed_ms + sum(power.unbilled_ms.values()) == power.metered_to_ms - power.metered_from_ms
        return TimeUse(power.metered_to_ms - power.metered_from_ms, power.billed_ms, dict(power.unbilled_ms))

    def session(self, session_id: str = "s-1") -> Session:
        """The session's current state."""
        return self.state.sessions[session_id]

    def account(self, session_id: str = "s-1") -> TimeUse:
        """Its time so far, checked to add up (rule 4.9)."""
        session = self.session(session_id)
        assert session.billed_ms + sum(session.unbilled_ms.values()) == session.elapsed_ms
        return TimeUse(session.elapsed_ms, session.billed_ms, dict(session.unbilled_ms))

    def credits_wei(self) -> list[int]:
        """All credits, oldest first."""
        return [entry.delta_wei for entry in self.entries if entry.event == CREDIT and entry.delta_wei is not None]

    def earned_wei(self) -> dict[str, int]:
        """Earnings by orchestrator."""
        return {balance.orchestrator_id: balance.balance_wei for balance in self.state.balances.values()}
