"""A backup is complete, has only regular files of the journal, and is restored completely or refused."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from payments.disk import Disk
from payments.errors import Corrupt, Misconfigured, Unavailable
from payments.store import Restored
from payments.store.file import segments
from payments.store.file.backup import FileBackup, FileRestoration
from payments.store.file.segments import sealed_segments
from tests.audit import read_journal
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk
from tests.harness import event, file_store, journal_path, projections, uncoded

SEGMENTS = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with sealed segments in both forms, an active one, and a registry."""
    data = tmp_path / "data"
    live(data)
    (data / "registry.json").write_text("{}")
    return data


def live(data: Path, entries: int = SEGMENTS) -> None:
    store = file_store(data, disk=HastyDisk(), segment_bytes=1)
    for number in range(entries):
        store.execute([event(f"s-{number}")])
        if number == 1:
            store.maintain()
    store.close()


def documents(data: Path) -> dict[str, Path]:
    return {"registry.json": data / "registry.json"}


def back_up(data: Path, copy: Path, disk: Disk | None = None) -> Path:
    with closing(FileBackup(disk or HastyDisk(), journal_path(data), documents(data))) as backup:
        backup.write(copy)
    return copy


def restore(copy: Path, data: Path, disk: Disk | None = None) -> Restored:
    paths = journal_path(data), projections(data)
    with closing(FileRestoration(disk or HastyDisk(), copy, documents(data), *paths)) as restoration:
        return restoration.run()


def files(folder: Path) -> dict[str, bytes]:
    """Contents of ``folder``, without locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    before = files(folder)
    yield
    assert files(folder) == before


def test_a_backup_has_the_journal_s_files_as_they_are_and_nothing_else(data: Path, tmp_path: Path) -> None:
    (journal_path(data).parent / "ledger-events.log.1x").symlink_to("/etc/passwd")
    (journal_path(data).parent / "ledger-events.log.00000000000000000001.gz.new").write_text("half")
    copy = back_up(data, tmp_path / "copy")
    kept = {name: files(data)[name] for name in files(copy) if name != "backup.json"}
    assert {name: text for name, text in files(copy).items() if name != "backup.json"} == kept
    assert sorted(kept) == [
        "audit/ledger-events.log", "audit/ledger-events.log.00000000000000000001.gz",
        "audit/ledger-events.log.00000000000000000002", "registry.json",
    ]  # fmt: skip
    assert os.stat(copy / "registry.json").st_mtime_ns == os.stat(data / "registry.json").st_mtime_ns
    assert {path.stat().st_mode & 0o077 for path in (copy, *copy.rglob("*"))} == {0}
    with unchanged(copy), pytest.raises(Unavailable, match="File exists"):
        back_up(data, copy)


@pytest.mark.parametrize("name", ["ledger-events.log", "ledger-events.log.00000000000000000002", "../registry.json"])
@pytest.mark.parametrize(
    "put", [lambda path, away: path.symlink_to(away), lambda path, _: os.mkfifo(path)], ids=["link", "pipe"]
)
def test_only_regular_files_are_copied(
    data: Path, tmp_path: Path, name: str, put: Callable[[Path, Path], None]
) -> None:
    path = journal_path(data).parent / name
    path.rename(tmp_path / "away")
    put(path, tmp_path / "away")
    with pytest.raises(Misconfigured, match=r"symbolic link|not a regular file"):
        back_up(data, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_what_is_sealed_while_the_files_are_opened_is_in_the_backup_once(data: Path, tmp_path: Path) -> None:
    before = read_journal(journal_path(data))

    class Sealing(HastyDisk):
        def read(self, descriptor: int, length: int, offset: int) -> bytes:
            # The active file is open, and its first line is read.
            if length == 64 and read_journal(journal_path(data)) == before:
                live(data)
            return super().read(descriptor, length, offset)

    copy = back_up(data, tmp_path / "copy", Sealing())
    assert len(sealed_segments(journal_path(data))) > SEGMENTS
    assert read_journal(journal_path(copy)) == before


def test_nothing_is_left_where_the_disk_is_full(data: Path, tmp_path: Path) -> None:
    for name in ("ledger-events.log", "backup.json.new"):
        disk = ScriptedDisk()
        disk.script("write", name, Fail(errno.ENOSPC))
        with pytest.raises(Unavailable, match=r"copy: no backup can be written there \(No space left"):
            back_up(data, tmp_path / "copy", disk)
        assert not (tmp_path / "copy").exists()


def test_a_copy_of_a_damaged_journal_stays_and_is_no_backup(data: Path, tmp_path: Path) -> None:
    journal = journal_path(data)
    journal.write_bytes(journal.read_bytes().replace(b"s-2", b"s-3"))
    with pytest.raises(Corrupt, match=r"line 1.*What could be copied is in .*copy, and cannot be restored"):
        back_up(data, tmp_path / "copy")
    assert read_journal(journal_path(tmp_path / "copy")) == read_journal(journal)
    with pytest.raises(Misconfigured, match="not finished"):
        restore(tmp_path / "copy", data)


def _change(copy: Path) -> None:
    journal_path(copy).write_bytes(journal_path(copy).read_bytes().replace(b"s-2", b"s-3"))


def _cut(copy: Path) -> None:
    os.truncate(journal_path(copy), 0)


def _lose(copy: Path) -> None:
    journal_path(copy).unlink()


def _name_another(copy: Path) -> None:
    manifest = json.loads((copy / "backup.json").read_bytes())
    (copy / "backup.json").write_text(json.dumps({**manifest, "files": ["../data/sessions.json"]}))


def _link(copy: Path) -> None:
    (copy / "registry.json").unlink()
    (copy / "registry.json").symlink_to("/etc/passwd")


def _write_nonsense(copy: Path) -> None:
    (copy / "backup.json").write_text("[1]")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_change, "ledger-events.log, line 1"),
        (_cut, "2 entries are in the backup, and 3 were put into it"),
        (_lose, "has not finished it .*No such file.*ledger-events.log'"),
        (_name_another, "no backup has a file ../data/sessions.json"),
        (_link, "a symbolic link"),
        (_write_nonsense, "payments backup has not made this"),
    ],
)
def test_a_backup_that_is_not_whole_changes_nothing(
    data: Path, tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    copy = back_up(data, tmp_path / "copy")
    live(data)
    spoil(copy)
    with unchanged(data), pytest.raises((Misconfigured, Corrupt), match=why):
        restore(copy, data)


def test_a_restore_that_is_cut_short_is_completed_by_the_next_and_no_start_goes_on_from_its_middle(
    data: Path, tmp_path: Path
) -> None:
    copy = back_up(data, tmp_path / "copy")
    then = read_journal(journal_path(copy))
    count = 0
    while True:
        live(data, 2 * SEGMENTS)
        with suppress(Unavailable):
            restore(copy, data, CutShort(count))
            break
        with suppress(Corrupt):
            file_store(data, disk=HastyDisk()).close()
            assert read_journal(journal_path(data)).startswith(then)
        restore(copy, data)
        assert read_journal(journal_path(data)) == then
        count += 1
    assert count > 8


class CutShort(HastyDisk):
    """Renames ``count`` files, then fails."""

    def __init__(self, count: int) -> None:
        self._left = count

    def replace(self, source: Path, target: Path) -> None:
        if not self._left:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._left -= 1
        super().replace(source, target)


def test_a_store_that_is_open_keeps_a_backup_out_and_one_that_opens_waits_for_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_RESTORE_TIMEOUT_S", 0.1)
    copy = back_up(data, tmp_path / "copy")
    store = file_store(data)
    with unchanged(data), pytest.raises(Unavailable, match="audit is in use; stop the API"):
        restore(copy, data)
    store.close()
    refused: list[str] = []

    class Watched(HastyDisk):
        def replace(self, source: Path, target: Path) -> None:
            with pytest.raises(Unavailable) as caught:
                file_store(data)
            refused.append(uncoded(caught.value))
            super().replace(source, target)

    restore(copy, data, Watched())
    assert set(refused) == {f"{data / 'audit'}: a backup is being restored there; start again when it has ended"}
    file_store(data).close()


def test_a_backup_is_restored_where_nothing_is_yet(data: Path, tmp_path: Path) -> None:
    copy = back_up(data, tmp_path / "copy")
    restored = restore(copy, tmp_path / "new")
    assert (restored.verified.entries, restored.aside) == (SEGMENTS, [])
    assert files(tmp_path / "new").items() <= files(copy).items()
    assert [path.stat().st_mode & 0o777 for _, path in sealed_segments(journal_path(tmp_path / "new"))] == [0o400] * 2
    live(tmp_path / "new")
