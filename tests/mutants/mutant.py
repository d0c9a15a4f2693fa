"""A defect to plant."""

import re
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

_MAX_RENAMED = 3
"""More names than this have not just been changed: it is other code."""

_TOKEN = re.compile(r"[^\W\d]\w*|\d\w*|\s+|.")


class NotPlanted(Exception):
    """The code to replace is not in the file exactly once, whatever its names are."""


class Mutant(NamedTuple):
    """One edit of one source file.

    Attributes:
        name: what the defect is.
        path: the file, from the root of the tree; ``old`` occurs in it exactly once and becomes ``new``. If names in
            the file have changed, the place is found by the rest of ``old``, and ``new`` gets the names of today.
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
        if count > 1:
            raise NotPlanted(f"{self.path} has {count} times {self.old!r}")
        if count == 1:
            return source.replace(self.old, self.new)
        found = sorted(_renamed(source, self.old), key=lambda match: len(match.names))
        if not found or (len(found) > 1 and len(found[0].names) == len(found[1].names)):
            raise NotPlanted(f"{self.path} has {len(found)} places like {self.old!r}")
        best = found[0]
        new = re.sub(r"[^\W\d]\w*", lambda name: best.names.get(name[0], name[0]), self.new)
        return f"{source[: best.begin]}{new}{source[best.end :]}"


class _Match(NamedTuple):
    """A place with the same code under other ``names``: today's, by those of the pattern, where they differ."""

    begin: int
    end: int
    names: Mapping[str, str]


def _renamed(source: str, pattern: str) -> Iterator[_Match]:
    """The places in ``source`` that are ``pattern``, but for a few names and for white space."""
    tokens, wanted = list(_TOKEN.finditer(source)), _TOKEN.findall(pattern)
    for at in range(len(tokens) - len(wanted) + 1):
        window = tokens[at : at + len(wanted)]
        names = _names(wanted, [token[0] for token in window])
        if names is not None and len(names) <= _MAX_RENAMED:
            yield _Match(window[0].start(), window[-1].end(), names)


def _names(wanted: list[str], found: list[str]) -> dict[str, str] | None:
    """Which names differ, if nothing else does and each is always called the same; else ``None``."""
    names: dict[str, str] = {}
    for one, other in zip(wanted, found, strict=True):
        if one.isspace() and other.isspace():
            continue
        is_name = one.isidentifier() and other.isidentifier() and not iskeyword(one) and not iskeyword(other)
        if (one != other and not is_name) or names.setdefault(one, other) != other:
            return None
    if len(set(names.values())) < len(names):
        return None
    return {one: other for one, other in names.items() if one != other}
