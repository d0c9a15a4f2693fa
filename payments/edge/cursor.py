"""How far the spool is delivered: a small file whose last whole line says it.

Lines are appended and not synced: what a crash takes of them only has Payments told again what it knows. One thread at
a time (the caller's care).
"""

import os
from pathlib import Path

from payments.disk import Disk, replace_file
from payments.disk.operations import write_all
from payments.edge.lines import BadLine, checked, content_of
from payments.edge.segments import lines_of

_MOST_BYTES = 65_536


class Cursor:
    """Says that all events up to a position are settled."""

    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._descriptor: int | None = None
        self._size_bytes = 0

    def read(self) -> int:
        """The position that it says; 0 where there is none. Raises ``OSError``."""
        position = 0
        if self._disk.status(self._path) is None:
            return position
        for line in lines_of(self._disk, self._path):
            try:
                said = content_of(line).get("settled")
            except BadLine:
                continue
            position = said if type(said) is int else position
        return position

    def begin(self, position: int) -> None:
        """Make the file anew. Raises ``OSError``."""
        self.close()
        line = _line(position)
        replace_file(self._disk, self._path, [line])
        self._descriptor = self._disk.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._size_bytes = len(line)

    def move(self, position: int) -> None:
        """All events up to ``position`` are settled. Raises ``OSError``."""
        if self._descriptor is None or self._size_bytes > _MOST_BYTES:
            self.begin(position)
            return
        line = _line(position)
        try:
            write_all(self._disk, self._descriptor, line)
        except OSError:
            # Part of a line may stand there now, which whatever is appended would only lengthen.
            self.close()
            raise
        self._size_bytes += len(line)

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._disk.close(descriptor)


def _line(position: int) -> bytes:
    return checked(b'{"settled":%d' % position)
