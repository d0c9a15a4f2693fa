"""Writes output files whole, or not at all."""

import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from payments.disk import Disk, replace_file

_BATCH_CHARACTERS = 1 << 16


def write_text(path: Path | None, pieces: Iterable[str], *, follow: bool = False) -> None:
    """Write ``pieces`` to ``path`` (``None``: standard output).

    An existing file stays as it is until the new one (mode 0600) is whole and on disk. A symbolic link is replaced, or
    its target with ``follow``. Raises what ``pieces`` raises, and ``ClickException`` if the file cannot be written.
    """
    if path is None:
        for batch in _batches(pieces):
            sys.stdout.buffer.write(batch)
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():
            # A pipe, or /dev/null: a file must not take its place.
            with path.open("wb") as file:
                file.writelines(_batches(pieces))
        else:
            _replace(path.resolve() if follow else path, _batches(pieces))
    except OSError as error:
        raise click.ClickException(f"PAY-D04 {path}: cannot be written ({error.strerror})") from error


def _replace(path: Path, batches: Iterable[bytes]) -> None:
    # A unique name, for two commands may write the same file; the last one wins.
    replace_file(Disk(), path, batches, path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.new"))


def _batches(pieces: Iterable[str]) -> Iterator[bytes]:
    """``pieces`` joined into larger ones."""
    batch: list[str] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH_CHARACTERS:
            yield "".join(batch).encode()
            batch, size = [], 0
    yield "".join(batch).encode()
