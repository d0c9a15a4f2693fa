"""The names of the journal's sealed segments: ``<journal>.<seq of its first line, 20 digits>``."""

import re
from pathlib import Path


def sealed_path(journal_path: Path, first_seq: int) -> Path:
    """Where the segment that begins with ``first_seq`` is once it is sealed."""
    return journal_path.with_name(f"{journal_path.name}.{first_seq:020d}")


def sealed_segments(journal_path: Path) -> list[tuple[int, Path]]:
    """The sealed segments with the ``seq`` that each begins with, oldest first."""
    named = re.compile(rf"{re.escape(journal_path.name)}\.([0-9]{{20}})")
    found = ((named.fullmatch(path.name), path) for path in journal_path.parent.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)
