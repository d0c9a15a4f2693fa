"""The documents: ``python -m tests.readme`` writes their generated parts; tests read sections and scripts of them.

A generated part stands between two comments, ``.. generated from <source> by python -m tests.readme`` and ``.. end``.
Never edit one by hand.
"""

import re
from collections.abc import Callable
from textwrap import dedent

from payments.edge.settings import EdgeSettings
from payments.settings import Settings
from tests import generated, generated_api
from tests.harness import ROOT

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "payments/SETTINGS.rst": {"payments/settings.py": lambda: generated.settings(Settings)},
    "payments/cli/COMMANDS.rst": {"payments/cli": generated.commands},
    "payments/edge/README.rst": {
        "payments/edge/settings.py": lambda: generated.settings(EdgeSettings),
        "payments/edge/gateway/metrics.py": generated.metrics,
    },
    "payments/web/API.rst": {
        "payments/web/openapi/calls.py": generated_api.calls,
        "payments/web/schemas.py": generated_api.requests,
        "payments/web/openapi/answers.py": generated_api.answers,
        "payments/web/problems.py": generated_api.problems,
    },
}
"""By document: the sources of its generated parts, and what makes each."""


def documents() -> list[str]:
    """The paths of all documents, from the root of the tree."""
    folders = [ROOT / name for name in ("payments", "worker", "tests", "deploy", ".github")]
    found = [*ROOT.glob("*.rst"), *(path for folder in folders for path in folder.rglob("*.rst"))]
    return sorted(str(path.relative_to(ROOT)) for path in found if "node_modules" not in path.parts)


def filled(document: str) -> str:
    """The text of ``document`` with its parts generated anew. Raises ``ValueError`` if one has no place in it."""
    text = (ROOT / document).read_text()
    for source, make in PARTS[document].items():
        begin, end = f".. generated from {source} by python -m tests.readme\n\n", "\n\n.. end\n"
        if text.count(begin) != 1:
            raise ValueError(f"{document} needs one place for what is generated from {source}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{make()}{rest[rest.index(end) :]}"
    return text


def section(document: str, title: str) -> str:
    """The text under ``title`` in ``document``, up to the next title of its level or above."""
    text = (ROOT / document).read_text()
    found = list(re.finditer(r"^(\S.*)\n(([=~-])\3{2,})\n", text, re.MULTILINE))
    levels = list(dict.fromkeys(each[3] for each in found))
    [own] = [each for each in found if each[1] == title]
    behind = [each for each in found if each.start() > own.start() and levels.index(each[3]) <= levels.index(own[3])]
    return text[own.end() : behind[0].start() if behind else None]


def script(document: str, title: str, first_line: str) -> str:
    """The commands under ``title`` that begin with the comment ``first_line``, up to the end of their block."""
    block = re.search(
        rf"^    # {re.escape(first_line)}\n(?:    .*\n|\n(?=    ))*", section(document, title), re.MULTILINE
    )
    assert block is not None, first_line
    return dedent(block[0])


if __name__ == "__main__":
    for path in PARTS:
        (ROOT / path).write_text(filled(path))
