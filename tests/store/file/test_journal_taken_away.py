"""If the journal is moved, replaced or truncated under a running store, it reports that and writes nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from payments.domain.sessions import HEARTBEAT, START
from payments.errors import Corrupt, Unavailable
from payments.store.file.store import FileStore
from tests.audit import audit
from tests.disk.scripted import HastyDisk
from tests.harness import NOON_MS, event, file_store, journal_path, probed, show_all, state_of, uncoded
from tests.store.file.history import facts

FIRST = [event("s-1", START)]
NEXT = [event("s-1", HEARTBEAT, NOON_MS + 1000)]
COMPLAINT = "was removed or cut short under a running process; restore it, and restart"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    """A running store with one entry."""
    store = file_store(tmp_path, disk=HastyDisk())
    store.execute(FIRST)
    yield store
    store.close()


def move_away(path: Path) -> None:
    path.rename(path.with_name("aside"))


def put_a_copy_in_its_place(path: Path) -> None:
    move_away(path)
    shutil.copyfile(path.with_name("aside"), path)


def put_an_empty_file_in_its_place(path: Path) -> None:
    move_away(path)
    path.touch()


def move_its_folder_away(path: Path) -> None:
    path.parent.rename(path.parent.with_name("aside"))


WAYS = [move_away, put_a_copy_in_its_place, put_an_empty_file_in_its_place, move_its_folder_away]
CALLS: dict[str, Callable[[FileStore], object]] = {
    "execute": lambda store: store.execute(NEXT),
    "check": probed,
    "queries": state_of,
}


@pytest.mark.parametrize("name", ["execute", "check"])
@pytest.mark.parametrize("take", WAYS, ids=lambda take: take.__name__)
def test_a_journal_that_went_is_unavailable(
    take: Callable[[Path], None], name: str, store: FileStore, tmp_path: Path
) -> None:
    path = journal_path(tmp_path)
    take(path)
    there = path.read_bytes() if path.exists() else None
    for _ in range(2):
        with pytest.raises(Unavailable, match=str(path)):
            CALLS[name](store)
    assert (path.read_bytes() if path.exists() else None) == there


@pytest.mark.parametrize("take", WAYS[:3], ids=lambda take: take.__name__)
def test_the_complaint_names_the_remedy(take: Callable[[Path], None], store: FileStore, tmp_path: Path) -> None:
    take(journal_path(tmp_path))
    with pytest.raises(Unavailable) as complaint:
        store.execute(NEXT)
    assert uncoded(complaint.value) == f"{journal_path(tmp_path)} {COMPLAINT}"


@pytest.mark.parametrize("take", WAYS, ids=lambda take: take.__name__)
def test_once_it_is_back_the_store_goes_on(take: Callable[[Path], None], store: FileStore, tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    take(path)
    with pytest.raises(Unavailable):
        store.execute(NEXT)
    if path.with_name("aside").exists():
        path.with_name("aside").replace(path)
    else:
        path.parent.with_name("aside").rename(path.parent)
    store.execute(NEXT)
    assert state_of(store).seq == 2
    assert len(audit(path).entries) == 2


def test_a_copy_that_was_restored_is_taken_up_by_a_restart(store: FileStore, tmp_path: Path) -> None:
    known = facts(store)
    put_a_copy_in_its_place(journal_path(tmp_path))
    again = file_store(tmp_path, disk=HastyDisk())
    assert facts(again) == known
    again.execute(NEXT)
    again.close()
    with pytest.raises(Unavailable):
        store.execute(NEXT)
    assert len(audit(journal_path(tmp_path)).entries) == 2


@pytest.mark.parametrize("name", CALLS)
def test_a_journal_cut_short_is_unavailable(name: str, store: FileStore, tmp_path: Path) -> None:
    path = journal_path(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(Unavailable) as complaint:
        CALLS[name](store)
    assert uncoded(complaint.value) == f"{path} {COMPLAINT}"
    assert path.read_bytes() == whole[:-1]
    path.write_bytes(whole)
    store.execute(NEXT)
    assert len(audit(path).entries) == 2


def test_a_removed_journal_is_not_replaced_by_an_empty_one_at_the_next_start(store: FileStore, tmp_path: Path) -> None:
    show_all(store, tmp_path)
    move_away(journal_path(tmp_path))
    with pytest.raises(Corrupt, match="that is not what the journal has there"):
        file_store(tmp_path, disk=HastyDisk())
