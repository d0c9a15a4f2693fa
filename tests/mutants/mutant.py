"""A defect to plant."""

from pathlib import Path
from typing import NamedTuple


class NotPlanted(Exception):
    """The text to replace is not in the file exactly once."""


class Mutant(NamedTuple):
    """One edit of one source file.

    Attributes:
        name: what the defect is.
        path: the file, from the root of the tree; ``old`` occurs in it exactly once and becomes ``new``.
        tests: what to give to pytest: the fewest tests that are sure to notice.
    """

    name: str
    path: str
    old: str
    new: str
    tests: str

    def planted(self, root: Path) -> str:
        """The source below ``root`` with the defect in it. Raises ``NotPlanted``."""
        source = (root / self.path).read_text()
        count = source.count(self.old)
        if count != 1:
            raise NotPlanted(f"{self.path} has {count} times {self.old!r}")
        return source.replace(self.old, self.new)
