"""``.env``: whether it can be read as a whole, and what in it, or in the environment, is hardly meant.

May import ``payments.errors``. Not here: which settings there are, and what they take (``payments.settings``).
"""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from payments.errors import Misconfigured

ENV_FILE = Path(".env")
ENV_FILE_NAME = "PAYMENTS_ENV_FILE"
"""Names another file to read in place of ``.env``."""

PREFIX = "PAYMENTS_"
_OTHERS = (ENV_FILE_NAME, "PAYMENTS_API_URL", "PAYMENTS_API_TOKEN")
_TESTS = "PAYMENTS_TEST_"


def env_file(given: Path | None) -> Path | None:
    """The file to read, if there is one; raises ``Misconfigured`` where it cannot be read as a whole.

    dotenv would skip a line, and a token that is silently not set leaves a call open.
    """
    named = os.environ.get(ENV_FILE_NAME)
    file = given or (Path(named) if named else ENV_FILE)
    if not file.exists() and not named:
        return None
    try:
        bad = [_line(each) for each in _bindings(file) if each.error or (each.key is not None and each.value is None)]
    except OSError as error:
        raise Misconfigured(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        sound = re.split("[\udc80-\udcff]", file.read_text("utf-8", errors="surrogateescape"), maxsplit=1)[0]
        line = sound.count("\n") + 1
        raise Misconfigured(f"{file}, line {line}: not UTF-8") from None
    if bad:
        raise Misconfigured("\n".join(f"{file}, line {line}: not of the form NAME=value" for line in bad))
    return file


def name_doubts(given: Path | None, settings: Collection[str], prefixes: tuple[str, ...] = (PREFIX,)) -> list[str]:
    """What is hardly meant among the names in the file to read, and in the environment: a sentence each.

    ``settings`` are the names that mean something, of those that begin with one of ``prefixes``. Raises
    ``Misconfigured`` as ``env_file`` does.
    """
    file = env_file(given)
    said = [] if file is None else [each.key for each in _bindings(file) if each.key is not None]
    doubts = []
    for name, count in Counter(said).items():
        if count > 1:
            doubts.append(f"{name} is set {count} times in {file}: the last one counts")
    for name in sorted({*said, *os.environ}):
        prefix = next((each for each in prefixes if name.startswith(each)), None)
        if prefix and name not in (*settings, *_OTHERS) and not name.startswith(_TESTS):
            alike = [each.removeprefix(prefix) for each in settings if each.startswith(prefix)]
            near = get_close_matches(name.removeprefix(prefix), alike, 1)
            doubts.append(
                f"{name} is no setting, and nothing comes of it; is {prefix}{near[0]} meant?"
                if near
                else f"{name} is no setting, and nothing comes of it"
            )
    return doubts


def _bindings(file: Path) -> Iterator[Binding]:
    with file.open(encoding="utf-8-sig") as lines:
        yield from parse_stream(lines)


def _line(binding: Binding) -> int:
    """Where it stands; dotenv counts from the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
