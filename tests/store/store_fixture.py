"""A store of either engine with what it is handed, all of which a test may change."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from payments.domain.decisions import Terms
from payments.domain.entries import Entry
from payments.domain.state import State
from payments.store import EntryQuery, Store
from payments.store.file.store import FileStore
from payments.store.memory import MemoryStore
from tests.harness import TERMS, Clock, journal_path, projections, state_of
from tests.store.accounts import check_accounts

MINUTE_MS = 60_000


class StoreFixture:
    """Where a store lives.

    Attributes:
        folder: of the file engine's files; ``None`` is the memory engine. ``segment_bytes``: its journal's segments.
        clock, terms: what every store of it goes by.
        store: the one that was opened first, or last anew.
    """

    def __init__(self, folder: Path | None, segment_bytes: int = 1 << 28) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.clock = Clock()
        self.terms: Terms = TERMS
        self._open: list[Store] = []
        self.store = self.another()

    def another(self) -> Store:
        """A store of its own, on the same files: what another process would have."""
        store: Store
        if self.folder is None:
            assert not self._open, "nobody shares a memory store"
            store = MemoryStore(lambda: self.terms, self.clock)
        else:
            paths = projections(self.folder)
            store = FileStore(
                journal_path(self.folder), paths, lambda: self.terms, self.clock, segment_bytes=self.segment_bytes
            )
        self._open.append(store)
        return store

    def switch(self) -> None:
        """Go on with another store on the same files, the first one still open; then back."""
        if len(self._open) == 1:
            self.another()
        self.store = next(store for store in self._open if store is not self.store)

    def reopen(self) -> None:
        """A clean stop of all stores, and a start."""
        self.close()
        self.store = self.another()

    def close(self) -> None:
        """Close every store that was opened."""
        while self._open:
            self._open.pop().close()


def all_entries(store: Store, query: EntryQuery | None = None, limit: int = 200) -> list[Entry]:
    """Every entry that matches, newest first, page by page."""
    return [entry for page in pages(store, query or EntryQuery(), limit) for entry in page]


def pages(store: Store, query: EntryQuery, limit: int) -> Iterator[list[Entry]]:
    """The pages that a reader who follows ``before`` gets to see."""
    before = None
    while True:
        page = store.entries(query, before=before, limit=limit)
        yield list(page.items)
        if page.before is None:
            return
        assert before is None or int(page.before) < int(before), "a reader would go round in circles"
        before = page.before


def kinds(results: Any) -> list[str]:
    """Each result in a word."""
    return [result.kind for result in results]


def audited(store: Store) -> State:
    """The state of ``store``, after its accounts have been checked from the entries up."""
    state = state_of(store)
    check_accounts(all_entries(store)[::-1], state)
    return state
