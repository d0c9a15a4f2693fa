"""The one door: a command meets the state and becomes an outcome and the entries that record it."""

from typing import TypeAlias

from payments.domain.billing import Decision, Terms, decide_event
from payments.domain.sessions import SessionEvent
from payments.domain.state import State

Command: TypeAlias = SessionEvent


def decide(command: Command, state: State, terms: Terms, now_ms: int) -> Decision:
    """What ``command`` becomes at ``now_ms``. Needs no more of ``state`` than the command's subject and its balance.

    Raises ``Rejected`` where the command cannot be carried out.
    """
    return decide_event(command, state, terms, now_ms)
