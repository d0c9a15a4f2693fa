"""``payments backup`` and ``restore`` as root access the service's files with its user's rights only."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import done, records, refused, run, settle
from tests.harness import journal_path

SERVICE = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users' files")


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A service's data folder, in a folder that its user can access."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    data = settle(folder, monkeypatch)
    done("orchestrators", "add", "orch-a", "--host-public-ip", "203.0.113.10")
    done("ledger", "adjust", "orch-a", "0.5", "--reference", "x", "--note", "y")
    give(data, SERVICE)
    yield data
    shutil.rmtree(folder)


def give(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


@as_root
def test_what_root_copies_is_root_s_and_what_root_restores_is_the_service_s(data: Path) -> None:
    shown = records("backup", "copy")[0]
    assert (shown["entries"], shown["owed"]) == (1, "0.5")
    assert owners(Path("copy")) == {0}
    done("restore", "copy")
    assert owners(data) == {SERVICE}
    assert len(list(data.rglob("before-*/ledger-events.log"))) == 1


@as_root
def test_the_service_cannot_have_root_copy_what_it_may_not_read_itself(data: Path) -> None:
    private = data.parent / "private"
    shutil.move(data / "audit", private)
    give(private, 0)
    (data / "audit").symlink_to(private)
    assert "Permission denied" in refused("backup", "copy")
    os.link(journal_path(data), data / "log")
    (data / "audit").unlink()
    (data / "audit").mkdir()
    (data / "log").rename(journal_path(data))
    give(data / "audit", SERVICE)
    os.chown(journal_path(data), 0, 0)
    assert "Permission denied" in refused("backup", "copy")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_an_api_elsewhere_is_not_asked_for_files(command: str) -> None:
    assert run("--api-url", "http://127.0.0.1:1", command, "copy").exit_code == 2
