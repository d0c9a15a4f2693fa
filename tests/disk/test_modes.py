"""A store's files are accessible to its own user only."""

import errno
import stat
from pathlib import Path

import pytest

from payments.errors import Unavailable
from payments.store.file.store import FileStore
from tests.disk.scripted import Fail, ScriptedDisk
from tests.harness import TERMS, Clock, event, file_store, journal_path, projections

pytestmark = pytest.mark.usefixtures("open_umask")


def modes(root: Path) -> dict[str, set[int]]:
    """Modes of folders and of files below ``root``."""
    found: dict[str, set[int]] = {"folders": set(), "files": set()}
    for each in root.rglob("*"):
        found["folders" if each.is_dir() else "files"].add(stat.S_IMODE(each.stat().st_mode))
    return found


def test_everything_that_a_store_makes_is_private(tmp_path: Path) -> None:
    store = file_store(tmp_path / "data")
    store.execute([event()])
    store.close()
    assert modes(tmp_path) == {"folders": {0o700}, "files": {0o600}}


def test_a_torn_tail_that_is_set_aside_is_private(tmp_path: Path) -> None:
    file_store(tmp_path / "data").close()
    with journal_path(tmp_path / "data").open("ab") as journal:
        journal.write(b'{"seq":1')
    file_store(tmp_path / "data").close()
    assert len(list(journal_path(tmp_path / "data").parent.glob("*.torn-*"))) == 1
    assert modes(tmp_path) == {"folders": {0o700}, "files": {0o600}}


def test_folders_made_for_projections_elsewhere_are_private(tmp_path: Path) -> None:
    paths = projections(tmp_path / "shown")
    store = FileStore(tmp_path / "data" / "journal", paths, lambda: TERMS, Clock())
    store.execute([event()])
    store.close()
    assert modes(tmp_path) == {"folders": {0o700}, "files": {0o600}}


def test_the_mark_of_a_failed_sync_is_private(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    disk.script("sync", journal_path(tmp_path).name, Fail(errno.EIO))
    with pytest.raises(Unavailable, match="sync failed"):
        file_store(tmp_path / "data", disk=disk)
    assert len(list(journal_path(tmp_path / "data").parent.glob("*.halted"))) == 1
    assert modes(tmp_path) == {"folders": {0o700}, "files": {0o600}}
