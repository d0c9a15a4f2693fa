"""Generated parts of documents are up to date, and README.rst explains everything that can go wrong."""

import re
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.command import payments_on_path
from tests.harness import ROOT
from tests.messages import GAP, messages, templates_in
from tests.readme import PARTS, filled, section

WORDLESS = {
    "payments/cli/service.py": "``payments config check`` says it beforehand.",
    "payments/configuration.py": "``PAYMENTS_…: …``",
    "payments/edge/gateway/service.py": "in the words of ``payments config check``",
    "payments/settings.py": "``PAYMENTS_…: …``",
    "payments/store/file/export.py": "``…format version … is not known here; ",
    "payments/store/file/lines.py": "``…format version … is not known here; ",
    "payments/web/trace.py": "``500: a defect in Payments``",
    "worker/schedule.py": "its job (``retention``, ``compression``, ``sweep``)",
    "worker/service.py": "The worker logs them without the beginning.",
}
"""Where a message has no words of its own: they arise elsewhere; and what README.rst says of it."""

FOREIGN = {
    'Job "…" raised an exception': "apscheduler.executors.base",
    'Execution of job "…" skipped: maximum number of running instances reached (…)': "apscheduler.schedulers.base",
    "WORKER TIMEOUT (pid:…)": "gunicorn.arbiter",
    "Worker (pid:…) was sent …!…": "gunicorn.arbiter",
    "Worker (pid:…) exited with code ….": "gunicorn.arbiter",
    "Connection in use: …": "gunicorn.sock",
    "Invalid address: …": "gunicorn.sock",
    "the worker is silent since …; …": "payments.web.worker",
    "no worker has run yet; the power meter needs one": "payments.web.worker",
    "nothing is imported until this is mended:…": "payments.importing.report",
}
"""What is explained as well: the words of the libraries, and what is no log line, by the module that has them."""


@cache
def terms() -> list[str]:
    """What is explained under "What to do when", with ``…`` for whatever stands there."""
    lines = re.findall(r"^(``.+``)\n(?=    \S)", section("README.rst", "What to do when"), re.MULTILINE)
    return [term for line in lines for term in re.findall("``(.+?)``", line)]


def fits(term: str, template: str) -> bool:
    """Whether ``term`` is about what ``template`` becomes."""
    return re.fullmatch(".*".join(map(re.escape, term.split(GAP))), template) is not None


def is_explained(template: str) -> bool:
    return any(fits(term, template) for term in terms())


@pytest.mark.parametrize("document", PARTS)
def test_generated_parts_are_up_to_date(document: str) -> None:
    assert (ROOT / document).read_text() == filled(document), "run python -m tests.readme"


def test_everything_that_can_go_wrong_is_explained() -> None:
    unexplained = [
        f"{each.path}, line {each.line}: {template}"
        for each in messages()
        for template in each.templates
        if not is_explained(template)
    ]
    assert unexplained == []


def test_messages_without_words_of_their_own_are_few_and_explained_too() -> None:
    assert sorted(each.path for each in messages() if not each.templates) == sorted(WORDLESS)
    said = " ".join(section("README.rst", "What to do when").split())
    assert [each for each in WORDLESS.values() if each not in said] == []


def test_a_message_that_is_not_in_it_would_be_noticed() -> None:
    assert not is_explained(f"{GAP}: the moon is in the way ({GAP})")


def test_nothing_is_explained_that_is_never_said() -> None:
    said = {template for each in messages() for template in each.templates}
    for name in set(FOREIGN.values()):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        said |= templates_in(Path(spec.origin))
    wordless = [term for term in terms() if any(f"``{term}``" in text for text in WORDLESS.values())]
    assert [term for term in terms() if term not in wordless and not any(fits(term, each) for each in said)] == []


def test_every_term_has_words_and_stands_there_once() -> None:
    assert [term for term in terms() if len(re.findall(r"[a-zA-Z]{2,}", term)) < 1] == []
    assert sorted(terms()) == sorted(set(terms()))


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        pytest.param("payments led", ["ledger"], id="group"),
        pytest.param("payments ledger ex", ["export"], id="command"),
        pytest.param("payments payouts record --t", ["--tx"], id="option"),
        pytest.param("payments sessions list --status ", ["active", "stale", "ended"], id="value"),
    ],
)
def test_the_line_for_bashrc_completes(tmp_path: Path, words: str, completed: list[str]) -> None:
    line = re.findall(
        r"^    (eval .+)$", section("payments/cli/COMMANDS.rst", "The ``payments`` command"), re.MULTILINE
    )
    assert len(line) == 1
    quoted = " ".join(f"'{word}'" for word in words.split(" "))
    script = f"{line[0]}\nCOMP_WORDS=({quoted}) COMP_CWORD={words.count(' ')}\n_payments_completion payments\n"
    run = subprocess.run(
        ["bash", "--norc", "-euc", f'{script}printf "%s\\n" "${{COMPREPLY[@]}}"'],
        env=payments_on_path(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.stdout.split(), run.stderr) == (completed, "")
