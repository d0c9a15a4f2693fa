"""Declares settings, reads them from the environment and ``.env``, and writes them back as text.

A frozen dataclass whose fields are made by ``setting`` and whose base is ``Configuration`` is the only list of its
settings. A bad value stops the start (rule 2.1). Not here: which settings there are.
"""

import os
import re
from collections.abc import Callable
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from payments.envfile import ENV_FILE_NAME, PREFIX, read_environment
from payments.errors import Misconfigured, quoted

_MOST = 10**12


class SettingKind(NamedTuple):
    """A kind of value.

    Attributes:
        parse: reads the value from text. Raises ``ValueError``, which says what is wrong and never quotes a token.
        takes: describes valid text in words.
        spell: the inverse of ``parse``; ``None`` for tokens, which are never shown.
    """

    parse: Callable[[str], Any]
    takes: str
    spell: Callable[[Any], str] | None = str


def integer(unit: str = "", least: int = 0, most: int = _MOST) -> SettingKind:
    """The kind of whole numbers from ``least`` to ``most``, in ``unit``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise ValueError(f"{quoted(text)} is not a whole number{f' of {unit}' if unit else ''}")
        if not least <= int(text) <= most:
            raise ValueError(f"{quoted(text)} is not between {least} and {most}")
        return int(text)

    bounds = f"{least} or more" if most == _MOST else f"{least} to {most}"
    return SettingKind(parse, f"{bounds} {unit}".rstrip())


def _read_flag(text: str) -> bool:
    word = text.lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{quoted(text)} is neither true nor false")


def _read_path(text: str) -> Path | None:
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError:
        raise ValueError(f"{quoted(text)} begins with the home of a user that is not there") from None


def _read_tokens(text: str) -> tuple[str, ...]:
    tokens = tuple(token.strip() for token in text.split(",") if token.strip())
    if any(not (token.isascii() and token.isprintable() and " " not in token) for token in tokens):
        raise ValueError("a token may hold printable ASCII without spaces only, or no HTTP header could carry it")
    if text and not tokens:
        raise ValueError("commas and no token: that would leave the calls open")
    return tokens


def _read_token(text: str) -> str | None:
    tokens = _read_tokens(text)
    if len(tokens) > 1:
        raise ValueError("one token, without a comma")
    return tokens[0] if tokens else None


FLAG = SettingKind(_read_flag, "true or false", lambda is_on: str(is_on).lower())
PATH = SettingKind(_read_path, "a path", lambda path: "" if path is None else str(path))
TOKENS = SettingKind(_read_tokens, "tokens, comma-separated", None)
TOKEN = SettingKind(_read_token, "one token", None)


def setting(name: str, kind: SettingKind, default: str, meaning: str) -> Any:
    """A field read from the setting ``name``, or from ``default`` if it is unset or empty."""
    details = {"name": name, "default": default, "meaning": meaning, **kind._asdict()}
    return field(metadata=details, repr=kind.spell is not None)


class Configuration:
    """Base of the frozen dataclasses whose fields are settings."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    prefixes: ClassVar[tuple[str, ...]] = (PREFIX,)
    """Prefixes of its setting names. Other names with such a prefix are warned of."""

    @classmethod
    def load(cls, given: Path | None = None) -> Self:
        """Read the settings from the process's environment, then from ``given``, or else from ``.env``.

        Raises ``Misconfigured`` with one line per bad value; a token is never quoted.
        """
        return cls.load_pinned(given)[0]

    @classmethod
    def load_pinned(cls, given: Path | None = None) -> tuple[Self, dict[str, str]]:
        """As ``load``, plus an environment with which ``load`` returns the same settings even if the file changes."""
        environment = read_environment(given).values
        pinned = {name: environment.get(name, "") for name in cls.names()}
        values, problems = {}, []
        for each in fields(cls):
            name, parse, default = (each.metadata[key] for key in ("name", "parse", "default"))
            try:
                values[each.name] = parse(pinned[name].strip() or default)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise Misconfigured("\n".join(f"PAY-C01 {problem}" for problem in sorted(problems)))
        return cls(**values), {**pinned, ENV_FILE_NAME: os.devnull}

    @classmethod
    def names(cls) -> list[str]:
        """The name of each setting in the environment."""
        return [each.metadata["name"] for each in fields(cls)]

    @classmethod
    def name_warnings(cls, given: Path | None = None) -> list[str]:
        """Names in the environment, or in the file that ``load`` reads, that are probably mistakes."""
        return read_environment(given).warnings(cls.names(), cls.prefixes)

    def spelled(self) -> dict[str, str | None]:
        """Each value as text, by the name of its setting; ``None`` in place of tokens."""
        return {
            each.metadata["name"]: None
            if (spell := each.metadata["spell"]) is None
            else spell(getattr(self, each.name))
            for each in fields(self)
        }
