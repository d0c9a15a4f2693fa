"""Modes of new files, short reads and writes, and files that were replaced."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.disk import Disk
from payments.disk.operations import write_all
from tests.disk.scripted import Fail, ScriptedDisk, Take

READ_WRITE = os.O_RDWR | os.O_CREAT


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """An open file with the content ``0123456789``."""
    disk = Disk()
    descriptor = disk.open(tmp_path / "file", READ_WRITE)
    disk.write(descriptor, b"0123456789")
    yield descriptor
    disk.close(descriptor)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    disk = Disk()
    disk.close(disk.open(tmp_path / "file", READ_WRITE))
    assert mode_of(tmp_path / "file") == 0o600


@pytest.mark.usefixtures("open_umask")
def test_new_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    Disk().make_folder(tmp_path / "a" / "b" / "c")
    assert [mode_of(tmp_path / each) for each in ("a", "a/b", "a/b/c")] == [0o700, 0o700, 0o700]


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    Disk().make_folder(tmp_path / "shared" / "own")
    assert mode_of(tmp_path / "shared") == 0o750


def test_a_new_folder_is_synced_into_the_one_that_holds_it(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    disk.make_folder(tmp_path / "a" / "b")
    assert disk.log == [("sync_folder", tmp_path.name), ("sync_folder", "a")]


def test_syncs_reach_the_operating_system() -> None:
    """The system refuses to sync a file that is not on a disk."""
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        Disk().sync(writing)
    os.close(reading)
    os.close(writing)
    with pytest.raises(OSError, match="Invalid argument"):
        Disk().sync_folder(Path("/proc"))


def test_making_a_folder_below_a_file_fails_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:
        Disk().make_folder(tmp_path / "file" / "folder")
    assert str(caught.value.filename) == str(tmp_path / "file" / "folder")


def test_descriptors_are_closed_in_programs_that_are_started(descriptor: int) -> None:
    assert not os.get_inheritable(descriptor)


@pytest.mark.parametrize(
    ("length", "offset", "expected"),
    [(4, 0, b"0123"), (4, 3, b"3456"), (100, 8, b"89"), (1, 10, b""), (5, 50, b""), (0, 3, b"")],
    ids=["beginning", "middle", "past the end", "at the end", "behind the end", "nothing"],
)
def test_read_gives_what_is_there(descriptor: int, length: int, offset: int, expected: bytes) -> None:
    assert Disk().read(descriptor, length, offset) == expected


def test_read_does_not_depend_on_where_writing_is(descriptor: int) -> None:
    disk = Disk()
    disk.read(descriptor, 3, 0)
    disk.write(descriptor, b"x")
    assert disk.read(descriptor, 20, 0) == b"0123456789x"


def test_size_and_truncate_agree(descriptor: int) -> None:
    disk = Disk()
    disk.truncate(descriptor, 4)
    assert (disk.size(descriptor), disk.read(descriptor, 20, 0)) == (4, b"0123")


def test_write_all_carries_on_after_short_writes(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    disk.script("write", "file", Take(1), Take(3))
    descriptor = disk.open(tmp_path / "file", READ_WRITE)
    write_all(disk, descriptor, b"0123456789")
    disk.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_write_all_stops_where_the_disk_is_full(tmp_path: Path) -> None:
    disk = ScriptedDisk()
    disk.script("write", "file", Take(4), Fail(errno.ENOSPC))
    descriptor = disk.open(tmp_path / "file", READ_WRITE)
    with pytest.raises(OSError, match="No space left"):
        write_all(disk, descriptor, b"0123456789")
    disk.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"0123"
