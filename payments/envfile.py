"""Reads ``.env``; the process's environment takes precedence. Never changes ``os.environ``.

Not here: the settings themselves (``payments.settings``).
"""

import os
from collections import Counter
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from dotenv.main import resolve_variables
from dotenv.parser import Binding, parse_stream

from payments.errors import Misconfigured

ENV_FILE_NAME = "PAYMENTS_ENV_FILE"
"""The variable that names a file to read instead of ``.env``."""

PREFIX = "PAYMENTS_"
_OTHERS = (ENV_FILE_NAME, "PAYMENTS_API_URL", "PAYMENTS_API_TOKEN")
_TESTS = "PAYMENTS_TEST_"


class Environment(NamedTuple):
    """Values by name, from the process's environment or else from the file.

    Attributes:
        file: the file, which may be missing; ``in_file``: how often it sets each name.
    """

    values: Mapping[str, str]
    file: Path
    in_file: Mapping[str, int]

    def warnings(self, settings: Collection[str], prefixes: tuple[str, ...]) -> list[str]:
        """Names that are probably mistakes: set twice, or unknown. One sentence each.

        ``settings`` are all valid names that start with one of ``prefixes``.
        """
        warnings = []
        for name, count in self.in_file.items():
            if count > 1:
                warnings.append(f"PAY-C15 {name} is set {count} times in {self.file}: the last one counts")
        for name in sorted(self.values):
            prefix = next((each for each in prefixes if name.startswith(each)), None)
            if prefix and name not in (*settings, *_OTHERS) and not name.startswith(_TESTS):
                candidates = [each.removeprefix(prefix) for each in settings if each.startswith(prefix)]
                similar = get_close_matches(name.removeprefix(prefix), candidates, 1)
                hint = f"; did you mean {prefix}{similar[0]}?" if similar else ""
                warnings.append(f"PAY-C14 {name}: unknown setting, ignored{hint}")
        return warnings


def read_environment(given: Path | None = None) -> Environment:
    """The process's environment, then the file: ``given``, else the one named by the environment, else ``.env``.

    Raises ``Misconfigured`` if any line is invalid: dotenv would skip it, and a token skipped silently leaves calls
    open.
    """
    environment = dict(os.environ)
    named = environment.get(ENV_FILE_NAME)
    file = given or Path(named or ".env")
    try:
        bindings = _bindings(file)
    except OSError as error:
        if named or not isinstance(error, FileNotFoundError):
            raise Misconfigured(f"PAY-C03 {file}: cannot be read ({error.strerror})") from None
        bindings = []
    pairs = [(each.key, each.value) for each in bindings if each.key is not None]
    in_file = resolve_variables(pairs, override=False)
    values = {**{name: value or "" for name, value in in_file.items()}, **environment}
    return Environment(values, file, Counter(name for name, _ in pairs))


def _bindings(file: Path) -> list[Binding]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Misconfigured(f"PAY-C03 {file}, line {line}: not UTF-8") from None
    bindings = list(parse_stream(StringIO(text, newline=None)))
    # NUL cannot be passed to the workers in their environment.
    bad = [_line(each) for each in bindings if each.error or (each.key and (each.value is None or "\0" in each.value))]
    if bad:
        raise Misconfigured("\n".join(f"PAY-C03 {file}, line {line}: not of the form NAME=value" for line in bad))
    return bindings


def _line(binding: Binding) -> int:
    """Line number of ``binding``; dotenv counts from the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
