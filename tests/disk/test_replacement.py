"""A replaced file is always the complete old or new one, whatever fails."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.disk import replace_file
from tests.disk.scripted import Fail, HastyDisk, ScriptedDisk, Step, Take

PARTS = 8
PART_BYTES = 4096
NO_SPACE = Fail(errno.ENOSPC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with old content, the only one in its folder."""
    path = tmp_path / "sessions.json"
    path.write_bytes(b"old")
    return path


def test_content_is_the_parts_one_after_the_other(path: Path) -> None:
    replace_file(HastyDisk(), path, [b"one,", b"", b"two"])
    assert path.read_bytes() == b"one,two"


def test_a_file_that_was_not_there_is_made(tmp_path: Path) -> None:
    replace_file(HastyDisk(), tmp_path / "new.json", [b"new"])
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"new.json": b"new"}


def test_a_reader_never_sees_a_mixture(path: Path) -> None:
    stop = threading.Event()

    def parts(letter: bytes) -> Iterator[bytes]:
        return (letter * PART_BYTES for _ in range(PARTS))

    def keep_replacing() -> None:
        while not stop.is_set():
            for letter in (b"a", b"b"):
                replace_file(HastyDisk(), path, parts(letter))

    replace_file(HastyDisk(), path, parts(b"a"))
    writer = threading.Thread(target=keep_replacing)
    writer.start()
    try:
        seen = {path.read_bytes() for _ in range(2000)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {b"".join(parts(b"a")), b"".join(parts(b"b"))}
    assert len(seen) == 2


def test_the_new_content_is_on_disk_before_it_gets_the_name(path: Path) -> None:
    disk = ScriptedDisk()
    replace_file(disk, path, [b"new"])
    assert disk.log == [
        ("open", "sessions.json.new"),
        ("write", "sessions.json.new"),
        ("sync", "sessions.json.new"),
        ("replace", "sessions.json"),
        ("sync_folder", path.parent.name),
    ]


@pytest.mark.parametrize(
    ("operation", "name", "steps"),
    [
        pytest.param("open", "sessions.json.new", [NO_SPACE], id="open"),
        pytest.param("write", "sessions.json.new", [NO_SPACE], id="first write"),
        pytest.param("write", "sessions.json.new", [Take(2), NO_SPACE], id="rest of a short write"),
        pytest.param("write", "sessions.json.new", [None, NO_SPACE], id="second part"),
        pytest.param("sync", "sessions.json.new", [Fail(errno.EIO)], id="sync"),
        pytest.param("replace", "sessions.json", [Fail(errno.EIO)], id="rename"),
    ],
)
def test_a_failure_leaves_the_old_file_and_no_other(path: Path, operation: str, name: str, steps: list[Step]) -> None:
    disk = ScriptedDisk()
    disk.script(operation, name, *steps)
    with pytest.raises(OSError, match=r"No space|Input/output"):
        replace_file(disk, path, [b"new, ", b"in two parts"])
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == {"sessions.json": b"old"}
    replace_file(disk, path, [b"new"])
    assert path.read_bytes() == b"new"


def test_a_short_write_is_carried_on_with(path: Path) -> None:
    disk = ScriptedDisk()
    disk.script("write", "sessions.json.new", Take(1), Take(2))
    replace_file(disk, path, [b"new content"])
    assert path.read_bytes() == b"new content"


def test_what_a_dead_writer_left_is_no_obstacle(path: Path) -> None:
    path.with_name("sessions.json.new").write_bytes(b"half of something much longer")
    replace_file(HastyDisk(), path, [b"new"])
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == {"sessions.json": b"new"}
