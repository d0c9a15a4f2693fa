"""``decide``: from a command and the state to an outcome and the entries that record it."""

from typing import TypeAlias

from payments.domain.billing import decide_event
from payments.domain.booking import decide_booking
from payments.domain.decisions import Decision, Terms
from payments.domain.ledger import Adjustment, Booking, Payout
from payments.domain.power import decide_reading
from payments.domain.readings import Reading
from payments.domain.retention import Retention, decide_retention
from payments.domain.sessions import SessionEvent
from payments.domain.state import State

Command: TypeAlias = SessionEvent | Reading | Retention | Booking


def decide(command: Command, state: State, terms: Terms, now_ms: int) -> Decision:
    """Decide ``command`` at ``now_ms``. Raises ``Rejected`` if it cannot be carried out.

    Of ``state`` it reads only the command's subject, and the balance and power of its orchestrator.
    """
    if isinstance(command, SessionEvent):
        return decide_event(command, state, terms, now_ms)
    if isinstance(command, Reading):
        return decide_reading(command, state, terms, now_ms)
    if isinstance(command, Adjustment | Payout):
        return decide_booking(command, state, terms, now_ms)
    return decide_retention(command, state, now_ms)
