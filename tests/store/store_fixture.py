"""A store of either engine, with a clock and terms that tests may change."""

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
    """Stores on one folder, or one in memory.

    Attributes:
        folder: folder of the file engine; ``None``: the memory engine. ``segment_bytes``: segment size of its journal.
        clock, terms: those of all its stores.
        store: the current store.
    """

    def __init__(self, folder: Path | None, segment_bytes: int = 1 << 28) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.clock = Clock()
        self.terms: Terms = TERMS
        self._open: list[Store] = []
        self.store = self.another()

    def another(self) -> Store:
        """Open another store on the same files, as another process would."""
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
        """Switch between two open stores on the same files."""
        if len(self._open) == 1:
            self.another()
        self.store = next(store for store in self._open if store is not self.store)

    def reopen(self) -> None:
        """Close all stores and open a new one."""
        self.close()
        self.store = self.another()

    def close(self) -> None:
        """Close all stores."""
        while self._open:
            self._open.pop().close()


def all_entries(store: Store, query: EntryQuery | None = None, limit: int = 200) -> list[Entry]:
    """All matching entries, newest first, read page by page."""
    return [entry for page in pages(store, query or EntryQuery(), limit) for entry in page]


def pages(store: Store, query: EntryQuery, limit: int) -> Iterator[list[Entry]]:
    """The pages that a reader gets by following ``before``."""
    before = None
    while True:
        page = store.entries(query, before=before, limit=limit)
        yield list(page.items)
        if page.before is None:
            return
        assert before is None or int(page.before) < int(before), "a reader would go round in circles"
        before = page.before


def kinds(results: Any) -> list[str]:
    """The kind of each result."""
    return [result.kind for result in results]


def audited(store: Store) -> State:
    """The state of ``store``, after checking its accounts against the entries."""
    state = state_of(store)
    check_accounts(all_entries(store)[::-1], state)
    return state
