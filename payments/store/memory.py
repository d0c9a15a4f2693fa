"""The reference engine, for tests: a list of entries under one lock, gone with the process."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from payments.domain.commands import Command, decide
from payments.domain.entries import JSON, Entry
from payments.domain.state import State, evolve
from payments.errors import Rejected
from payments.store.protocol import Clock, Page, Query, Result, TermsSource


class _Executed(NamedTuple):
    found: Sequence[Result]
    due_s: float = 0

    def results(self) -> Sequence[Result]:
        return self.found


class MemoryStore:
    """A ``Store`` that is nothing but the domain and a list."""

    def __init__(self, terms: TermsSource, clock: Clock) -> None:
        self._terms = terms
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._state = State()

    def execute(self, commands: Sequence[Command]) -> Sequence[Result]:
        with self._lock:
            return [self._execute(command) for command in commands]

    def submit(self, commands: Sequence[Command], when_done: Callable[[], None]) -> "_Executed":
        executed = _Executed(self.execute(commands))
        when_done()
        return executed

    def _execute(self, command: Command) -> Result:
        try:
            decision = decide(command, self._state, self._terms(), self._clock())
        except Rejected as rejection:
            return rejection
        for entry in decision.entries:
            self._entries.append(entry)
            evolve(self._state, entry)
        return decision.outcome

    def view(self) -> State:
        return self._state

    def entries(self, query: Query, *, before: int | None = None, limit: int = 200) -> Page:
        end = len(self._entries) if before is None else max(0, min(len(self._entries), before - 1))
        found = [entry for entry in reversed(self._entries[:end]) if query.matches(entry)]
        return Page(found[:limit], found[limit - 1].seq if len(found) > limit else None)

    def check(self) -> dict[str, JSON]:
        return {"engine": "memory", "seq": self._state.seq}

    def maintain(self) -> None:
        pass

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass
