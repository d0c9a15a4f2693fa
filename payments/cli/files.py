"""Files that a command writes for somebody: whole under their name, or not there."""

import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from payments.disk import Disk, replace_file

_BATCH_CHARACTERS = 1 << 16


def write_text(path: Path | None, pieces: Iterable[str], *, follow: bool = False) -> None:
    """Make ``pieces`` the content of ``path`` (``None``: standard output).

    A file that is there stays as it is until the new one is whole and on disk; the new one is its owner's alone (0600).
    Where ``path`` is a symbolic link, it takes its place, or with ``follow`` that of what the link names.
    Raises what ``pieces`` raises, and ``ClickException`` where the file cannot be written.
    """
    if path is None:
        for part in _parts(pieces):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():
            # A pipe, or /dev/null: there is nothing to keep whole, and a file must not take its place.
            with path.open("wb") as file:
                file.writelines(_parts(pieces))
        else:
            _replace(path.resolve() if follow else path, _parts(pieces))
    except OSError as error:
        raise click.ClickException(f"PAY-D04 {path}: cannot be written ({error.strerror})") from error


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    # Of its own name: two commands may be at the same file, and the one that ends last has it.
    replace_file(Disk(), path, parts, path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.new"))


def _parts(pieces: Iterable[str]) -> Iterator[bytes]:
    """``pieces`` in fewer, larger ones."""
    batch: list[str] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH_CHARACTERS:
            yield "".join(batch).encode()
            batch, size = [], 0
    yield "".join(batch).encode()
