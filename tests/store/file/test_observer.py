"""What a store tells its observer about commits."""

from pathlib import Path

import pytest

from payments.errors import Unavailable
from payments.store import EntryQuery
from payments.store.file.store import FileStore
from payments.store.protocol import Commit
from tests.harness import NOON_MS, TERMS, Clock, event, journal_path, projections, state_of


def test_observer_gets_every_commit_once_with_its_size(tmp_path: Path) -> None:
    commits: list[Commit] = []
    store = FileStore(journal_path(tmp_path), projections(tmp_path), lambda: TERMS, Clock(), observe=commits.append)
    store.execute([event("s-1"), event("s-2"), event("s-3")])
    store.execute([event("s-1", seq=1)])
    store.execute([event("s-1", seq=1, at_ms=NOON_MS)])
    store.entries(EntryQuery())
    state_of(store)
    store.check()
    assert [commit.entries for commit in commits] == [3, 1]
    assert all(0 <= commit.wait_s < 5 and 0 < commit.seconds < 5 for commit in commits)
    journal_path(tmp_path).with_name("ledger-events.log.halted").write_text("a sync failed\n")
    with pytest.raises(Unavailable):
        store.execute([event("s-4")])
    assert len(commits) == 2
    store.close()
