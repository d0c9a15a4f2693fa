"""The reference engine, for tests and trials: a list of entries under one lock. Nothing is written to disk."""

import threading
from collections.abc import Sequence

from payments.domain.commands import Command, decide
from payments.domain.entries import JSON, Entry
from payments.domain.ledger import Balance
from payments.domain.overview import Totals
from payments.domain.readings import PowerState
from payments.domain.retention import Retention, retention_due
from payments.domain.sessions import Session
from payments.domain.state import State, evolve
from payments.errors import Rejected
from payments.store.protocol import Clock, EntryQuery, Page, Result, SessionQuery, TermsSource
from payments.store.queries import find_sessions, read_cursor, sorted_balances, sorted_powers


class MemoryStore:
    """A ``Store`` that keeps its entries in a list."""

    def __init__(self, terms: TermsSource, clock: Clock) -> None:
        self._terms = terms
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._state = State()
        self._state.build_overview()

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        with self._lock:
            return [self._execute(command) for command in commands]

    def _execute(self, command: Command) -> Result:
        try:
            decision = decide(command, self._state, self._terms(), self._clock())
        except Rejected as rejection:
            return rejection
        for entry in decision.entries:
            self._entries.append(entry)
            evolve(self._state, entry)
        return decision.outcome

    def session(self, session_id: str) -> Session | None:
        return self._state.sessions.get(session_id)

    def sessions(self, query: SessionQuery, *, before: str | None = None, limit: int = 50) -> Page[Session]:
        return find_sessions(self._state, query, before, limit)

    def balance(self, orchestrator_id: str) -> Balance | None:
        return self._state.balances.get(orchestrator_id)

    def balances(self) -> Sequence[Balance]:
        return sorted_balances(self._state)

    def powers(self) -> Sequence[PowerState]:
        return sorted_powers(self._state)

    def due(self, now_ms: int, close_after_ms: int, purge_after_ms: int, limit: int) -> Sequence[Retention]:
        return retention_due(self._state, now_ms, close_after_ms, purge_after_ms, limit)

    def totals(self, now_ms: int, idle_timeout_ms: int) -> Totals:
        return self._state.totals(now_ms, idle_timeout_ms)

    def entries(self, query: EntryQuery, *, before: str | None = None, limit: int = 200) -> Page[Entry]:
        end = len(self._entries) if before is None else max(0, min(len(self._entries), read_cursor(before) - 1))
        found = [entry for entry in reversed(self._entries[:end]) if query.matches(entry)]
        return Page(found[:limit], str(found[limit - 1].seq) if len(found) > limit else None)

    def check(self) -> dict[str, JSON]:
        return {"engine": "memory", "seq": self._state.seq}

    def maintain(self) -> None:
        pass

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass
