"""A disk that cannot be read causes a clear error and nothing worse."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from payments.domain.sessions import START
from payments.errors import Corrupt, Misconfigured, Unavailable
from payments.store.file.codec import Position
from payments.store.file.lines import BadTail, read_lines
from payments.store.file.segments import PlainSegment
from payments.store.file.store import FileStore
from payments.store.protocol import EntryQuery
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import event, file_store, journal_path, open_files, probed, state_of, uncoded
from tests.store.file.history import History, facts, lay

JOURNAL = "ledger-events.log"
IO_ERROR = Fail(errno.EIO)

CALLS: dict[str, Callable[[FileStore], object]] = {
    "execute": lambda store: store.execute([event("s-2", START)]),
    "queries": state_of,
    "entries": lambda store: store.entries(EntryQuery()),
    "check": probed,
}
REMEDY = "let the user that runs Payments read and write it, or set PAYMENTS_DATA_DIR to a folder that it can"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("operation", ["read", "size"])
def test_an_unreadable_journal_is_unavailable_until_it_can_be_read(name: str, operation: str, tmp_path: Path) -> None:
    """Another process has written, so every call must read."""
    disk = ScriptedDisk()
    store, other = file_store(tmp_path, disk=disk), file_store(tmp_path, disk=HastyDisk())
    other.execute([event("s-1", START)])
    disk.broken[operation, JOURNAL] = IO_ERROR
    for _ in range(2):
        with pytest.raises(Unavailable, match="Input/output error"):
            CALLS[name](store)
    disk.broken.clear()
    CALLS[name](store)
    assert facts(store) == facts(other)
    store.close()
    other.close()


def test_an_unreadable_page_of_entries_is_unavailable(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    store = file_store(tmp_path, disk=disk)
    store.execute([event("s-1", START)])
    disk.script("read", JOURNAL, IO_ERROR)
    with pytest.raises(Unavailable, match="the journal cannot be read"):
        store.entries(EntryQuery())
    assert [entry.seq for entry in store.entries(EntryQuery()).items] == [1]
    store.close()


def test_a_file_where_the_data_folder_must_be_is_the_operators(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(Misconfigured) as complaint:
        file_store(tmp_path / "data")
    assert uncoded(complaint.value) == f"{tmp_path / 'data' / 'audit'}: cannot be used (Not a directory); {REMEDY}"


@pytest.mark.parametrize("name", [JOURNAL, f"{JOURNAL}.lock"])
def test_a_folder_where_a_file_must_be_is_the_operators(name: str, tmp_path: Path) -> None:
    path = journal_path(tmp_path).with_name(name)
    path.mkdir(parents=True)
    with pytest.raises(Misconfigured) as complaint:
        file_store(tmp_path)
    assert uncoded(complaint.value) == f"{path}: cannot be used (Is a directory); {REMEDY}"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC], ids=["no right", "read only", "full"])
def test_a_journal_that_cannot_be_made_is_the_operators(number: int, tmp_path: Path) -> None:
    disk = ScriptedDisk()
    disk.script("open", JOURNAL, Fail(number))
    with pytest.raises(Misconfigured) as complaint:
        file_store(tmp_path, disk=disk)
    assert uncoded(complaint.value) == f"{JOURNAL}: cannot be used ({os.strerror(number)}); {REMEDY}"


def test_a_refused_start_leaves_no_file_open(history: History, tmp_path: Path) -> None:
    """Otherwise a process that retries to start a store would run out of descriptors."""
    lay(tmp_path, history.journal[:-1] + b"x")
    before = open_files("audit")
    with pytest.raises(Corrupt):
        file_store(tmp_path)
    assert open_files("audit") == before


def test_a_file_that_is_cut_while_it_is_read_ends_where_it_was_cut(history: History, tmp_path: Path) -> None:
    class Cut(PlainSegment):
        def size(self) -> int:
            return len(history.journal)

    lay(tmp_path, b"".join(history.lines[:2]))
    path = journal_path(tmp_path)
    disk = HastyDisk()
    segment = Cut(disk, path, disk.open(path, os.O_RDONLY))
    read = read_lines(segment, Position())
    assert [entry.seq for entry in next(read).entries] == [1, 2]
    with pytest.raises(BadTail) as end:
        next(read)
    assert end.value.position.seq == 2
    segment.close()
