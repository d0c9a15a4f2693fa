"""The spool on disk: ``spool.db``, a SQLite database. One thread at a time (the caller's care).

``events`` has those that the spool keeps, in the order of their ``position``; ``dead_letters`` what Payments has
refused for good. Every change is one transaction, synced when it returns, of a write-ahead log (``spool.db-wal``) that
soon goes into the file itself and is empty then. The process that has the database open keeps all others out.

Methods raise ``OSError`` where the disk does not do. Then nothing of the call is done, and the next one may be
``open``: look at ``is_open``.
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
from payments.edge.events import DeadLetter, SessionLabels, Spooled

_VERSION = 1
_LOG_BYTES = 1 << 16
"""A log longer than this goes into the file."""

_ROOM_BYTES = 1 << 17
"""So much of the disk is left to the log that is going into the file: without it, what is full could not shrink."""

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
    """Another reporter has it."""


class Damaged(OSError):
    """Something in it is not as SQLite has written it."""


class StoredEvents(NamedTuple):
    """What was there.

    Attributes:
        events: those that can be read, in their order.
        set_aside: the file, by its new name, if it was damaged; a new one has taken its place, with nothing in it.
    """

    events: list[Spooled]
    set_aside: Path | None


class Database:
    """The file. Attributes: ``size_bytes``, what it and its log take up on disk."""

    def __init__(self, folder: Path, most_dead_letters: int) -> None:
        self.size_bytes = 0
        self._folder = folder
        self._path = folder / "spool.db"
        self._log_path = folder / "spool.db-wal"
        self._most_dead_letters = most_dead_letters
        self._connection: sqlite3.Connection | None = None
        self._files: list[tuple[int, int] | None] = []

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> StoredEvents:
        """Take it over; it is made if need be. Raises ``SpoolInUse`` too."""
        Disk().make_folder(self._folder)
        if not os.access(self._folder, os.W_OK):
            raise PermissionError(errno.EACCES, "it is read-only, or not this user's")
        try:
            return self._found()
        except BaseException:
            self.close()
            raise
        finally:
            self._files = self._identities()

    def read(self) -> tuple[list[DeadLetter], list[Spooled]]:
        """The dead letters and the events, of a database that nobody has open; nothing is made, taken over or changed.

        Raises ``FileNotFoundError`` and ``SpoolInUse`` too.
        """
        os.stat(self._path)
        events: list[Spooled] = []
        try:
            self._begin()
            self._read(events, _IN_ORDER)
            return self.dead_letters(), events
        finally:
            self.close()

    def set_aside(self) -> Path:
        """Give the damaged file another name, and its log, in which there may be more; the new name."""
        number = 1 + sum(path.suffix == ".db" for path in self._folder.glob("damaged-*"))
        path = self._folder / f"damaged-{number}.db"
        with suppress(FileNotFoundError):
            os.replace(self._log_path, f"{path}-wal")
        os.replace(self._path, path)
        # Now, for SQLite leaves the log of a file alone that has another name.
        self.close()
        return path

    def is_lost(self) -> bool:
        """Whether somebody has taken the file or its log away, or put another in its place."""
        return self._identities() != self._files

    def save(
        self,
        events: Sequence[Spooled],
        gone: Sequence[int],
        dead_letters: Sequence[DeadLetter] = (),
        revived: Sequence[int] = (),
        *,
        alone: bool = False,
    ) -> None:
        """Write ``events`` at their positions, and ``dead_letters``; take out what is ``gone`` and ``revived``.

        ``alone``: let nothing else be among the events.
        """
        coming_bytes = sum(event.size_bytes for event in events)
        if len(events) > len(gone) and not alone and not self._has_room(coming_bytes):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with self._transaction() as connection:
            if alone:
                connection.execute("DELETE FROM events")
            connection.executemany("DELETE FROM events WHERE position = ?", ((position,) for position in gone))
            connection.executemany(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((event.position, event.is_pending, event.is_resent, *_row(event)) for event in events),
            )
            connection.executemany("DELETE FROM dead_letters WHERE number = ?", ((number,) for number in revived))
            connection.executemany(
                "INSERT OR REPLACE INTO dead_letters VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((letter.reason, letter.rejected_ms, *_row(letter.event)) for letter in dead_letters),
            )
            connection.execute(
                "DELETE FROM dead_letters WHERE number <= (SELECT max(number) FROM dead_letters) - ?",
                (self._most_dead_letters,),
            )

    def tidy(self) -> None:
        """Let the log go into the file, if it has grown."""
        with self._told() as connection:
            if _size(self._log_path) > _LOG_BYTES:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.size_bytes = _size(self._path) + _size(self._log_path)

    def dead_letters(self, revived: Collection[int] = ()) -> list[DeadLetter]:
        """All of them but those, oldest first."""
        with self._told() as connection:
            rows = connection.execute("SELECT * FROM dead_letters ORDER BY number").fetchall()
        return [DeadLetter(_event(row[3:]), row[1], row[2], row[0]) for row in rows if row[0] not in revived]

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(sqlite3.Error):
                connection.close()

    def _found(self) -> StoredEvents:
        events: list[Spooled] = []
        set_aside = None
        try:
            self._connect()
            self._read(events, _IN_ORDER)
        except Damaged:
            # What stands behind the damage, from the end.
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
        with self._told() as connection:
            for setting in _SETTINGS if version else ("auto_vacuum=FULL", *_SETTINGS):
                connection.execute(f"PRAGMA {setting}")
            for table in _TABLES:
                connection.execute(table)
        # Of a log that once failed to sync, the disk may lack what memory shows: nothing is added behind that. And
        # whether it can be written is known before anything large is read; what is full can be read all the same.
        try:
            with self._told() as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with self._transaction() as connection:
                connection.execute(f"PRAGMA user_version={_VERSION}")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def _begin(self) -> int:
        """Keep all others out of the file, which is there; its version."""
        # Not by opening it: to close a file is to let go of the locks that SQLite has on it in this process.
        if not stat.S_ISREG(os.lstat(self._path).st_mode):
            raise OSError(errno.EINVAL, f"{self._path.name} is not a regular file")
        with self._translated():
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            ((version,),) = connection.execute("PRAGMA user_version")
            if version not in (0, _VERSION):
                raise Damaged(errno.EINVAL, f"it is of version {version}")
        return int(version)

    def _read(self, events: list[Spooled], rows: str) -> None:
        """Add to ``events`` one after the other; ``rows``: those behind a position."""
        last = events[-1].position if events else 0
        with self._told() as connection:
            for position, is_pending, is_resent, *row in connection.execute(rows, (last,)):
                event = _event(row)
                event.position, event.is_pending, event.is_resent = position, bool(is_pending), bool(is_resent)
                events.append(event)

    def _has_room(self, coming_bytes: int) -> bool:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize >= _ROOM_BYTES + 2 * coming_bytes

    def _identities(self) -> list[tuple[int, int] | None]:
        found = [Disk().status(path) for path in (self._path, self._log_path)]
        return [status and (status.st_ino, status.st_dev) for status in found]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._told() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()

    @contextmanager
    def _told(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise OSError(errno.EBADF, "it is not open")
        with self._translated():
            yield self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Let SQLite's errors be those of this module. After all but a full disk, it has to be opened again."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            # Text that is no UTF-8 is an error of Python's module, without a code.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
            self.close()
            kind = {sqlite3.SQLITE_BUSY: SpoolInUse, sqlite3.SQLITE_CORRUPT: Damaged, sqlite3.SQLITE_NOTADB: Damaged}
            name = getattr(error, "sqlite_errorname", "")
            raise kind.get(code, OSError)(errno.EIO, f"{error}, {name}") from None


def _row(event: Spooled) -> tuple[object, ...]:
    return (*event.said, event.kind, event.seq, event.occurred_ms, event.event_id)


def _event(row: Sequence[Any]) -> Spooled:
    return Spooled(SessionLabels(*row[:5]), *row[5:])


def _size(path: Path) -> int:
    status = Disk().status(path)
    return status.st_size if status else 0
