"""The spool on disk: ``spool.db``, a SQLite database. Not thread-safe; callers must serialise.

The table ``events`` has the events that the spool keeps, ordered by ``position``; ``dead_letters`` has those that
Payments rejected for good. Each change is one transaction, synced before the call returns. It goes to the write-ahead
log ``spool.db-wal``, which is soon moved into the file and emptied. The process that has the database open locks it.

Methods raise ``OSError`` if the disk fails. The call has then changed nothing, and the database may have to be opened
again: check ``is_open``.
"""

import errno
import os
import sqlite3
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from payments.disk import Disk
from payments.disk.operations import open_regular
from payments.edge.events import DeadLetter, SessionLabels, SpooledEvent

_VERSION = 1
_LOG_BYTES = 1 << 16
"""A log longer than this is moved into the file."""

_RESERVED_BYTES = 1 << 17
"""Disk space reserved for moving the log into the file. Without it, a spool on a full disk could not shrink."""

_SETTINGS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0")
_COLUMNS = """
    session_id TEXT NOT NULL, edge_id TEXT NOT NULL, upstream_addr TEXT, upstream_port INTEGER, streamer_id TEXT,
    kind TEXT NOT NULL, seq INTEGER NOT NULL, occurred_ms INTEGER NOT NULL, event_id TEXT NOT NULL
"""
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, is_pending INTEGER NOT NULL, "
    f"is_resent INTEGER NOT NULL, {_COLUMNS}) STRICT",
    "CREATE TABLE IF NOT EXISTS dead_letters (number INTEGER PRIMARY KEY AUTOINCREMENT, reason TEXT NOT NULL, "
    f"rejected_ms INTEGER NOT NULL, {_COLUMNS} UNIQUE) STRICT",
)

_IN_ORDER = "SELECT * FROM events WHERE position > ? ORDER BY position"


class SpoolInUse(OSError):
    """Another reporter has the database open."""


class Damaged(OSError):
    """The database is not as SQLite wrote it."""


class StoredEvents(NamedTuple):
    """What an opened database contains.

    Attributes:
        events: all readable events, in order.
        set_aside: new name of the file if it was damaged (an empty one has replaced it); otherwise ``None``.
    """

    events: list[SpooledEvent]
    set_aside: Path | None


class Database:
    """The database file. Attributes: ``size_bytes``, size of the file and its log on disk."""

    def __init__(self, folder: Path, max_dead_letters: int) -> None:
        self.size_bytes = 0
        self._folder = folder
        self._path = folder / "spool.db"
        self._log_path = folder / "spool.db-wal"
        self._max_dead_letters = max_dead_letters
        self._connection: sqlite3.Connection | None = None
        self._opened_file_ids: list[tuple[int, int] | None] = []

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> StoredEvents:
        """Open and lock the database; create it if missing. Raises ``SpoolInUse`` too."""
        Disk().make_folder(self._folder)
        if not os.access(self._folder, os.W_OK):
            raise PermissionError(errno.EACCES, "it is read-only, or not this user's")
        try:
            return self._load()
        except BaseException:
            self.close()
            raise
        finally:
            self._opened_file_ids = self._file_ids()

    def read(self) -> tuple[list[DeadLetter], list[SpooledEvent]]:
        """Read dead letters and events of a database that nobody has open, without changing or creating anything.

        Raises ``FileNotFoundError`` and ``SpoolInUse`` too.
        """
        os.stat(self._path)
        events: list[SpooledEvent] = []
        try:
            self._begin()
            self._read(events, _IN_ORDER)
            return self.dead_letters(), events
        finally:
            self.close()

    def set_aside(self) -> Path:
        """Rename the damaged file, and its log, which may contain more events. Returns the new name."""
        number = 1 + sum(path.suffix == ".db" for path in self._folder.glob("damaged-*"))
        path = self._folder / f"damaged-{number}.db"
        with suppress(FileNotFoundError):
            os.replace(self._log_path, f"{path}-wal")
        os.replace(self._path, path)
        # Only now: SQLite would delete the log on closing, but leaves it alone once the file is renamed.
        self.close()
        return path

    def is_replaced(self) -> bool:
        """Whether the file or its log was removed or replaced since it was opened."""
        return self._file_ids() != self._opened_file_ids

    def save(
        self,
        events: Sequence[SpooledEvent],
        removed: Sequence[int],
        dead_letters: Sequence[DeadLetter] = (),
        resent: Sequence[int] = (),
        *,
        rewrite: bool = False,
    ) -> None:
        """Write ``events`` at their positions, and ``dead_letters``.

        Deletes events at the positions ``removed``, and the dead letters with the numbers ``resent``. ``rewrite``:
        delete all other events.
        """
        new_bytes = sum(event.size_bytes for event in events)
        if len(events) > len(removed) and not rewrite and not self._has_space(new_bytes):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with self._transaction() as connection:
            if rewrite:
                connection.execute("DELETE FROM events")
            connection.executemany("DELETE FROM events WHERE position = ?", ((position,) for position in removed))
            connection.executemany(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((event.position, event.is_pending, event.is_resent, *_row(event)) for event in events),
            )
            connection.executemany("DELETE FROM dead_letters WHERE number = ?", ((number,) for number in resent))
            connection.executemany(
                "INSERT OR REPLACE INTO dead_letters VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((letter.reason, letter.rejected_ms, *_row(letter.event)) for letter in dead_letters),
            )
            connection.execute(
                "DELETE FROM dead_letters WHERE number <= (SELECT max(number) FROM dead_letters) - ?",
                (self._max_dead_letters,),
            )

    def checkpoint(self) -> None:
        """Move the log into the file if it has grown."""
        with self._open_connection() as connection:
            if _size(self._log_path) > _LOG_BYTES:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.size_bytes = _size(self._path) + _size(self._log_path)

    def dead_letters(self, resent: Collection[int] = ()) -> list[DeadLetter]:
        """All dead letters without the numbers ``resent``, oldest first."""
        with self._open_connection() as connection:
            rows = connection.execute("SELECT * FROM dead_letters ORDER BY number").fetchall()
        return [DeadLetter(_event(row[3:]), row[1], row[2], row[0]) for row in rows if row[0] not in resent]

    def close(self) -> None:
        """Close and unlock the database."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(sqlite3.Error):
                connection.close()

    def _load(self) -> StoredEvents:
        events: list[SpooledEvent] = []
        set_aside = None
        try:
            self._connect()
            self._read(events, _IN_ORDER)
        except Damaged:
            # Read backwards from the end to get the events behind the damage.
            with suppress(OSError):
                self._connect()
                self._read(events, f"{_IN_ORDER} DESC")
            set_aside = self.set_aside()
            self._connect()
        return StoredEvents(sorted(events, key=lambda event: event.position), set_aside)

    def _connect(self) -> None:
        with suppress(FileExistsError):
            os.close(open_regular(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        version = self._begin()
        with self._open_connection() as connection:
            for setting in _SETTINGS if version else ("auto_vacuum=FULL", *_SETTINGS):
                connection.execute(f"PRAGMA {setting}")
            for table in _TABLES:
                connection.execute(table)
        # After a failed sync, the log on disk may lack what the page cache shows, so move it into the file before
        # adding to it. This also shows whether the disk is writable before much is read. A full one is still readable.
        try:
            with self._open_connection() as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with self._transaction() as connection:
                connection.execute(f"PRAGMA user_version={_VERSION}")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _begin(self) -> int:
        """Lock the existing file and return its version."""
        # Do not open it here: closing it would release the locks that SQLite holds on it in this process.
        if not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise OSError(errno.EINVAL, f"{self._path.name} is not a regular file")
        with self._translated_errors():
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            ((version,),) = connection.execute("PRAGMA user_version")
            if version not in (0, _VERSION):
                raise Damaged(errno.EINVAL, f"it is of version {version}")
        return int(version)

    def _read(self, events: list[SpooledEvent], rows: str) -> None:
        """Append the rows to ``events`` one by one; those read before an error stay.

        ``rows``: query for the events after a position.
        """
        last = events[-1].position if events else 0
        with self._open_connection() as connection:
            for position, is_pending, is_resent, *row in connection.execute(rows, (last,)):
                event = _event(row)
                event.position, event.is_pending, event.is_resent = position, bool(is_pending), bool(is_resent)
                events.append(event)

    def _has_space(self, new_bytes: int) -> bool:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize >= _RESERVED_BYTES + 2 * new_bytes

    def _file_ids(self) -> list[tuple[int, int] | None]:
        found = [Disk().status(path) for path in (self._path, self._log_path)]
        return [status and (status.st_ino, status.st_dev) for status in found]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open_connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()

    @contextmanager
    def _open_connection(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise OSError(errno.EBADF, "it is not open")
        with self._translated_errors():
            yield self._connection

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into those of this module. Close the database after any error but a full disk."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            # For text that is not UTF-8, Python's module raises an error without a code.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
            self.close()
            kind = {sqlite3.SQLITE_BUSY: SpoolInUse, sqlite3.SQLITE_CORRUPT: Damaged, sqlite3.SQLITE_NOTADB: Damaged}
            name = getattr(error, "sqlite_errorname", "")
            raise kind.get(code, OSError)(errno.EIO, f"{error}, {name}") from None


def _row(event: SpooledEvent) -> tuple[object, ...]:
    return (*event.labels, event.kind, event.seq, event.occurred_ms, event.event_id)


def _event(row: Sequence[Any]) -> SpooledEvent:
    return SpooledEvent(SessionLabels(*row[:5]), *row[5:])


def _size(path: Path) -> int:
    status = Disk().status(path)
    return status.st_size if status else 0
