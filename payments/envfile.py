"""``.env``, read as a whole, and the process's environment above it. Nothing here ever changes ``os.environ``.

Not here: which settings there are, and what they take (``payments.settings``).
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
"""Names another file to read in place of ``.env``."""

PREFIX = "PAYMENTS_"
_OTHERS = (ENV_FILE_NAME, "PAYMENTS_API_URL", "PAYMENTS_API_TOKEN")
_TESTS = "PAYMENTS_TEST_"


class Environment(NamedTuple):
    """What is set, by name: in the process's environment, and where that is silent in the file.

    Attributes:
        file: the file to read, which need not be there; ``in_file``: how often it sets which name.
    """

    values: Mapping[str, str]
    file: Path
    in_file: Mapping[str, int]

    def warnings(self, settings: Collection[str], prefixes: tuple[str, ...]) -> list[str]:
        """What is hardly meant among the names, a sentence each.

        ``settings`` are the names that mean something, of those that begin with one of ``prefixes``.
        """
        warnings = []
        for name, count in self.in_file.items():
            if count > 1:
                warnings.append(f"PAY-C15 {name} is set {count} times in {self.file}: the last one counts")
        for name in sorted(self.values):
            prefix = next((each for each in prefixes if name.startswith(each)), None)
            if prefix and name not in (*settings, *_OTHERS) and not name.startswith(_TESTS):
                alike = [each.removeprefix(prefix) for each in settings if each.startswith(prefix)]
                near = get_close_matches(name.removeprefix(prefix), alike, 1)
                hint = f"; is {prefix}{near[0]} meant?" if near else ""
                warnings.append(f"PAY-C14 {name} is no setting, and nothing comes of it{hint}")
        return warnings


def read_environment(given: Path | None = None) -> Environment:
    """The process's environment above ``given``, or else above the file that it names, or else above ``.env``.

    Raises ``Misconfigured`` where the file cannot be read as a whole: dotenv would skip a line, and a token that is
    silently not set leaves a call open.
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
    said = [(each.key, each.value) for each in bindings if each.key is not None]
    in_file = resolve_variables(said, override=False)
    values = {**{name: value or "" for name, value in in_file.items()}, **environment}
    return Environment(values, file, Counter(name for name, _ in said))


def _bindings(file: Path) -> list[Binding]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Misconfigured(f"PAY-C03 {file}, line {line}: not UTF-8") from None
    bindings = list(parse_stream(StringIO(text, newline=None)))
    # NUL: no environment could hand it on to the workers.
    bad = [_line(each) for each in bindings if each.error or (each.key and (each.value is None or "\0" in each.value))]
    if bad:
        raise Misconfigured("\n".join(f"PAY-C03 {file}, line {line}: not of the form NAME=value" for line in bad))
    return bindings


def _line(binding: Binding) -> int:
    """Where it stands; dotenv counts from the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
