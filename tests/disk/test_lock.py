"""One holder at a time, whichever kind of lock it uses, and waits that end."""

import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from payments.disk.lock import HotLock, LockTimeout, brief_lock
from tests.harness import until

SOON_S, LONG_S = 0.05, 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock file's path, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "journal.lock"


@pytest.fixture
def hot_lock(path: Path) -> Iterator[Callable[[], HotLock]]:
    """Makes ``HotLock`` objects on ``path``, each as good as another process's."""
    locks: list[HotLock] = []

    def make() -> HotLock:
        locks.append(HotLock(path))
        return locks[-1]

    yield make
    for lock in locks:
        lock.release()
    until(lambda: not any(lock._waiting for lock in locks))
    for lock in locks:
        lock.close()


def is_free(path: Path) -> bool:
    """Whether a ``FileLock`` on the file can be had at once."""
    try:
        with FileLock(path, timeout=0):
            return True
    except Timeout:
        return False


def test_hot_lock_keeps_filelock_out(hot_lock: Callable[[], HotLock], path: Path) -> None:
    lock = hot_lock()
    lock.acquire(LONG_S)
    assert not is_free(path)
    lock.release()
    assert is_free(path)


def test_filelock_keeps_hot_lock_out(hot_lock: Callable[[], HotLock], path: Path) -> None:
    lock = hot_lock()
    with FileLock(path), pytest.raises(LockTimeout, match=r"journal\.lock"):
        lock.acquire(SOON_S)
    lock.acquire(LONG_S)


def test_hot_locks_keep_each_other_out(hot_lock: Callable[[], HotLock]) -> None:
    one, other = hot_lock(), hot_lock()
    one.acquire(LONG_S)
    with pytest.raises(LockTimeout):
        other.acquire(SOON_S)
    one.release()
    other.acquire(LONG_S)
    with pytest.raises(LockTimeout):
        one.acquire(SOON_S)


def test_a_wait_ends_when_the_holder_lets_go(hot_lock: Callable[[], HotLock], path: Path) -> None:
    holder, waiter = hot_lock(), hot_lock()
    holder.acquire(LONG_S)
    waiting = threading.Thread(target=waiter.acquire, args=(LONG_S,))
    waiting.start()
    until(lambda: waiter._waiting)
    holder.release()
    waiting.join(LONG_S)
    assert not waiting.is_alive()
    assert not is_free(path)


def test_an_abandoned_wait_does_not_keep_the_lock(hot_lock: Callable[[], HotLock], path: Path) -> None:
    """The helper is granted what nobody waits for any more, and hands it back."""
    holder, leaver = hot_lock(), hot_lock()
    holder.acquire(LONG_S)
    with pytest.raises(LockTimeout):
        leaver.acquire(SOON_S)
    holder.release()
    until(lambda: not leaver._waiting)
    with FileLock(path, timeout=LONG_S):
        pass


def test_who_abandoned_a_wait_can_come_again(hot_lock: Callable[[], HotLock], path: Path) -> None:
    holder, patient = hot_lock(), hot_lock()
    holder.acquire(LONG_S)
    for _ in range(3):
        with pytest.raises(LockTimeout):
            patient.acquire(SOON_S)
    holder.release()
    for _ in range(3):
        patient.acquire(LONG_S)
        assert not is_free(path)
        patient.release()
    assert is_free(path)


def test_closing_after_an_abandoned_wait_leaves_other_locks_alone(hot_lock: Callable[[], HotLock], path: Path) -> None:
    """The number of a closed descriptor is the next file's; the helper must not unlock that."""
    holder, leaver, elsewhere = hot_lock(), HotLock(path), path.with_name("other.lock")
    holder.acquire(LONG_S)
    with pytest.raises(LockTimeout):
        leaver.acquire(SOON_S)
    leaver.close()
    other = HotLock(elsewhere)
    other.acquire(LONG_S)
    holder.release()
    helper = leaver._helper
    assert helper is not None
    helper.join(LONG_S)
    assert not helper.is_alive()
    assert not is_free(elsewhere)
    assert is_free(path)
    other.close()


def test_an_unlinked_lock_file_lets_no_second_holder_in(hot_lock: Callable[[], HotLock], path: Path) -> None:
    old = hot_lock()
    path.unlink()
    new = hot_lock()
    new.acquire(LONG_S)
    with pytest.raises(LockTimeout):
        old.acquire(SOON_S)
    new.release()
    old.acquire(LONG_S)
    assert not is_free(path)


def test_an_unlinked_lock_file_is_made_again(hot_lock: Callable[[], HotLock], path: Path) -> None:
    lock = hot_lock()
    path.unlink()
    lock.acquire(LONG_S)
    assert not is_free(path)


def test_a_lock_whose_folder_went_and_came_back_still_excludes(hot_lock: Callable[[], HotLock], path: Path) -> None:
    lock = hot_lock()
    aside = path.parent.with_name("aside")
    shutil.move(path.parent, aside)
    with pytest.raises(FileNotFoundError):
        lock.acquire(SOON_S)
    shutil.move(aside, path.parent)
    lock.acquire(SOON_S)
    assert not is_free(path)


@pytest.mark.usefixtures("open_umask")
def test_lock_files_are_for_their_owner_only(hot_lock: Callable[[], HotLock], path: Path) -> None:
    hot_lock()
    brief = path.with_name("brief.lock")
    with brief_lock(brief, LONG_S):
        pass
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, brief)] == [0o600, 0o600]


def test_brief_lock_keeps_others_out(path: Path) -> None:
    with brief_lock(path, LONG_S):
        assert not is_free(path)
    assert is_free(path)


def test_brief_lock_waits_no_longer_than_told(path: Path) -> None:
    with FileLock(path), pytest.raises(LockTimeout, match=r"journal\.lock"), brief_lock(path, SOON_S):
        pass


def test_brief_lock_lets_go_whatever_happens_inside(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), brief_lock(path, LONG_S):
        raise ZeroDivisionError
    assert is_free(path)


def test_brief_lock_leaves_its_file_for_those_who_wait_on_it(path: Path) -> None:
    with brief_lock(path, LONG_S):
        inode = path.stat().st_ino
    assert path.stat().st_ino == inode
