"""Queries over a ``State``, for engines that keep it in memory."""

from bisect import bisect_left
from collections.abc import Sequence

from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import Session
from payments.domain.state import State
from payments.errors import Rejected
from payments.store.protocol import Page, SessionQuery

_MAX_SESSIONS_PER_PAGE = 10_000
"""A search examines at most this many sessions, which takes about 5 ms; the next page continues from there."""


def find_sessions(state: State, query: SessionQuery, before: str | None, limit: int) -> Page[Session]:
    """The page of ``Store.sessions``."""
    # In the order of opening. Copying is atomic, so no writer can interrupt it.
    opened = list(state.sessions.values())
    end = len(opened) if before is None else bisect_left(opened, read_cursor(before), key=lambda each: each.opened_seq)
    found: list[Session] = []
    for place in range(end - 1, max(-1, end - 1 - _MAX_SESSIONS_PER_PAGE), -1):
        if query.matches(opened[place]):
            if len(found) == limit:
                return Page(found, str(found[-1].opened_seq))
            found.append(opened[place])
    return Page(found, str(opened[end - _MAX_SESSIONS_PER_PAGE].opened_seq) if end > _MAX_SESSIONS_PER_PAGE else None)


def sorted_balances(state: State) -> Sequence[Balance]:
    """All balances, sorted by orchestrator."""
    return [balance for _, balance in sorted(state.balances.copy().items())]


def sorted_powers(state: State) -> Sequence[PowerState]:
    """All power states, sorted by orchestrator."""
    return [power for _, power in sorted(state.power.copy().items())]


def read_cursor(cursor: str) -> int:
    """The ``seq`` in ``cursor``. Raises ``Rejected`` if it is not a cursor."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        complaint = "not a cursor; use the next_cursor of the previous page"
        raise Rejected("invalid", f"cursor is {complaint}", {"cursor": [complaint]})
    return int(cursor)
