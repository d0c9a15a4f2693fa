"""The Dockerfile, the compose file and ``.dockerignore`` as data."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from tests.harness import ROOT

CONTAINER = ROOT / "deploy" / "container"
DOCKERFILE = CONTAINER / "Dockerfile"
COMPOSE = CONTAINER / "compose.yaml"
FOLDER = PurePosixPath("/app")


class Instruction(NamedTuple):
    """An instruction of the Dockerfile.

    Attributes:
        name: such as ``COPY``.
        options: options such as ``from``, with values.
        text: the rest.
    """

    name: str
    options: dict[str, str]
    text: str

    @property
    def command(self) -> list[str]:
        """The arguments in exec form. Raises ``ValueError`` for another form."""
        words = json.loads(self.text[self.text.index("[") :])
        assert all(isinstance(word, str) for word in words)
        return list(words)


@cache
def instructions() -> tuple[Instruction, ...]:
    """Instructions of the Dockerfile, in order."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    return tuple(_instruction(*line.split(maxsplit=1)) for line in text.splitlines() if line)


def last(name: str) -> Instruction:
    """The last instruction of that name, which applies."""
    return [each for each in instructions() if each.name == name][-1]


def copied() -> list[str]:
    """Paths copied from the checkout, as written."""
    return [
        source
        for each in instructions()
        if each.name == "COPY" and "from" not in each.options
        for source in each.text.split()[:-1]
    ]


def services() -> dict[str, dict[str, Any]]:
    """Services of the compose file, by name."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def is_sent(path: str) -> bool:
    """Whether ``.dockerignore`` includes the file at ``path``, relative to the root; the last matching rule decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#") and _fits(rule.removeprefix("!"), PurePosixPath(path)):
            sent = rule.startswith("!")
    return sent


def tracked() -> list[str]:
    """All files tracked by git, relative to the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return listed.splitlines()


def lay_out(folder: Path) -> Path:
    """Copy into ``folder`` what the image has of the checkout, at the image's paths."""
    for path in tracked():
        if is_sent(path) and any(PurePosixPath(path).is_relative_to(source) for source in copied()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)
    return folder


def _instruction(name: str, text: str) -> Instruction:
    options = {}
    while match := re.match(r"--([a-z-]+)=(\S+)\s+", text):
        options[match[1]] = match[2]
        text = text[match.end() :]
    return Instruction(name, options, text.strip())


def _fits(rule: str, path: PurePosixPath) -> bool:
    """Whether ``rule`` matches ``path`` or a folder above it."""
    parts = rule.split("/")
    return any(_matches(parts, each.parts) for each in _and_above(path))


def _and_above(path: PurePosixPath) -> Iterator[PurePosixPath]:
    yield path
    yield from list(path.parents)[:-1]


def _matches(rule: list[str], parts: tuple[str, ...]) -> bool:
    if not rule:
        return not parts
    if rule[0] == "**":
        return any(_matches(rule[1:], parts[skipped:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], rule[0]) and _matches(rule[1:], parts[1:])
