"""A lock has one holder at a time, whatever its kind, and waits end."""

import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from filelock import FileLock, Timeout

from payments.disk.lock import HotLock, LockTimeout, brief_lock, lock_free

SOON_S, LONG_S = 0.05, 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock file's path, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "journal.lock"


@pytest.fixture
def hot_lock(path: Path) -> Iterator[Callable[[], HotLock]]:
    """Makes ``HotLock`` objects on ``path``, each equivalent to another process."""
    locks: list[HotLock] = []

    def make() -> HotLock:
        locks.append(HotLock(path))
        return locks[-1]

    yield make
    for lock in locks:
        lock.close()


def is_free(path: Path) -> bool:
    """Whether a ``FileLock`` on the file can be taken at once."""
    try:
        with FileLock(path, timeout=0):
            return True
    except Timeout:
        return False


def queue_up(lock: HotLock) -> threading.Thread:
    """A thread that waits in ``lock.acquire``."""
    waiting = threading.Thread(target=lock.acquire, daemon=True)
    waiting.start()
    waiting.join(SOON_S)
    assert waiting.is_alive()
    return waiting


def served(waiting: threading.Thread) -> bool:
    """Whether ``waiting`` gets its lock now."""
    waiting.join(LONG_S)
    return not waiting.is_alive()


WAYS: dict[str, Callable[[HotLock], None]] = {
    "queueing": HotLock.acquire,
    "polling": lambda lock: lock.acquire_within(LONG_S),
}
either_way = pytest.mark.parametrize("acquire", WAYS.values(), ids=WAYS)


@either_way
def test_hot_lock_keeps_filelock_out(
    acquire: Callable[[HotLock], None], hot_lock: Callable[[], HotLock], path: Path
) -> None:
    lock = hot_lock()
    for _ in range(3):
        acquire(lock)
        assert not is_free(path)
        lock.release()
        assert is_free(path)


def test_filelock_keeps_who_polls_out(hot_lock: Callable[[], HotLock], path: Path) -> None:
    lock = hot_lock()
    with FileLock(path), pytest.raises(LockTimeout, match=r"journal\.lock"):
        lock.acquire_within(SOON_S)
    assert is_free(path)
    lock.acquire_within(LONG_S)


def test_filelock_keeps_who_queues_out(hot_lock: Callable[[], HotLock], path: Path) -> None:
    with FileLock(path):
        waiting = queue_up(hot_lock())
    assert served(waiting)
    assert not is_free(path)


@either_way
def test_hot_locks_keep_each_other_out(acquire: Callable[[HotLock], None], hot_lock: Callable[[], HotLock]) -> None:
    one, other = hot_lock(), hot_lock()
    for holder, waiter in [(one, other), (other, one)]:
        acquire(holder)
        with pytest.raises(LockTimeout):
            waiter.acquire_within(SOON_S)
        holder.release()


def test_those_who_queue_up_are_served_one_at_a_time(hot_lock: Callable[[], HotLock], path: Path) -> None:
    def take(waiter: HotLock) -> None:
        waiter.acquire()
        holders.put(waiter)

    holders: SimpleQueue[HotLock] = SimpleQueue()
    waiters = [hot_lock() for _ in range(4)]
    for waiter in waiters:
        threading.Thread(target=take, args=(waiter,), daemon=True).start()
    for _ in waiters:
        holder = holders.get(timeout=LONG_S)
        assert not is_free(path)
        assert holders.empty()
        holder.release()


def test_who_polls_gets_the_lock_when_the_holder_lets_go(hot_lock: Callable[[], HotLock], path: Path) -> None:
    holder, waiter = hot_lock(), hot_lock()
    holder.acquire()
    letting_go = threading.Timer(SOON_S, holder.release)
    letting_go.start()
    waiter.acquire_within(LONG_S)
    letting_go.join()
    assert not is_free(path)


def test_who_gave_up_polling_does_not_keep_the_lock_and_can_come_again(
    hot_lock: Callable[[], HotLock], path: Path
) -> None:
    holder, patient = hot_lock(), hot_lock()
    holder.acquire()
    for _ in range(3):
        with pytest.raises(LockTimeout):
            patient.acquire_within(SOON_S)
    holder.release()
    assert is_free(path)
    patient.acquire_within(LONG_S)
    assert not is_free(path)


def test_closing_lets_go(hot_lock: Callable[[], HotLock], path: Path) -> None:
    lock = HotLock(path)
    lock.acquire()
    waiting = queue_up(hot_lock())
    lock.close()
    assert served(waiting)


def test_an_unlinked_lock_file_lets_nobody_who_polls_in(hot_lock: Callable[[], HotLock], path: Path) -> None:
    old = hot_lock()
    path.unlink()
    new = hot_lock()
    new.acquire()
    with pytest.raises(LockTimeout):
        old.acquire_within(SOON_S)
    new.release()
    old.acquire_within(LONG_S)
    assert not is_free(path)


def test_an_unlinked_lock_file_lets_nobody_who_comes_later_in(hot_lock: Callable[[], HotLock], path: Path) -> None:
    old = hot_lock()
    path.unlink()
    new = hot_lock()
    new.acquire()
    waiting = queue_up(old)
    new.release()
    assert served(waiting)
    assert not is_free(path)


def test_an_unlinked_lock_file_lets_nobody_who_waits_in(hot_lock: Callable[[], HotLock], path: Path) -> None:
    """It got the lock on the old file, which excludes nobody."""
    holder, old = hot_lock(), hot_lock()
    holder.acquire()
    waiting = queue_up(old)
    path.unlink()
    new = hot_lock()
    new.acquire()
    holder.release()
    waiting.join(SOON_S)
    assert waiting.is_alive()
    new.release()
    assert served(waiting)
    assert not is_free(path)


@either_way
def test_an_unlinked_lock_file_is_made_again(
    acquire: Callable[[HotLock], None], hot_lock: Callable[[], HotLock], path: Path
) -> None:
    lock = hot_lock()
    path.unlink()
    acquire(lock)
    assert not is_free(path)


@either_way
def test_a_lock_whose_folder_went_and_came_back_still_excludes(
    acquire: Callable[[HotLock], None], hot_lock: Callable[[], HotLock], path: Path
) -> None:
    lock = hot_lock()
    aside = path.parent.with_name("aside")
    shutil.move(path.parent, aside)
    with pytest.raises(FileNotFoundError):
        acquire(lock)
    shutil.move(aside, path.parent)
    assert is_free(path)
    acquire(lock)
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


def test_moment_that_nobody_has_the_lock_is_waited_for_and_kept(hot_lock: Callable[[], HotLock], path: Path) -> None:
    holder = hot_lock()
    holder.acquire()
    letting_go = threading.Timer(SOON_S, holder.release)
    letting_go.start()
    with lock_free(path, LONG_S):
        assert not letting_go.is_alive()
        assert not hot_lock().acquire_now()
    assert is_free(path)


def test_moment_that_does_not_come_is_not_waited_for_longer_than_told(
    hot_lock: Callable[[], HotLock], path: Path
) -> None:
    hot_lock().acquire()
    with lock_free(path, SOON_S):
        assert not is_free(path)


def test_lock_that_nobody_can_have_is_not_made(path: Path) -> None:
    with lock_free(path, LONG_S):
        assert not path.exists()
