"""Messages carry codes, and the runbook explains each code: deploy/RUNBOOK.rst against the source."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.harness import ROOT
from tests.messages import GAP, messages, templates_in

RUNBOOK = ROOT / "deploy" / "RUNBOOK.rst"

CODE = re.compile(r"PAY-[A-Z]\d\d")
_BEGINNING = re.compile(rf"{CODE.pattern} ")

WRAPPERS = {
    ("deploy/gunicorn.conf.py", "Connection in use: …"),
    ("payments/edge/gateway/__main__.py", "ps-gateway: cannot start: …"),
    ("payments/edge/gateway/spool_command.py", "ps-gateway spool: …"),
    ("payments/store/file/export.py", "…: …"),
    ("payments/store/file/lines.py", "…: …"),
    ("payments/web/preflight.py", "payments: cannot start: …"),
    ("payments/web/preflight.py", "payments: warning: …"),
    ("payments/web/trace.py", "…: …"),
    ("worker/__main__.py", "payments-worker: cannot start: …"),
    ("worker/schedule.py", "…: …"),
    ("wsgi.py", "payments: cannot start: …"),
}
"""Messages without a code of their own: they pass on another one, which has it; or speak as a library does."""

WORDLESS = [
    "payments/cli/service.py",
    "payments/edge/gateway/service.py",
    "payments/store/file/export.py",
    "payments/store/file/lines.py",
    "payments/web/trace.py",
    "worker/schedule.py",
    "worker/service.py",
]
"""Where a message is that has no words of its own: it passes on another one."""

LIBRARIES = {
    'Job "…" raised an exception': "apscheduler.executors.base",
    'Execution of job "…" skipped: maximum number of running instances reached (…)': "apscheduler.schedulers.base",
    "WORKER TIMEOUT (pid:…)": "gunicorn.arbiter",
    "Worker (pid:…) was sent …!…": "gunicorn.arbiter",
    "Worker (pid:…) exited with code ….": "gunicorn.arbiter",
    "Connection in use: …": "gunicorn.sock",
    "Invalid address: …": "gunicorn.sock",
}
"""Messages of libraries that the runbook explains, by the module that has them."""


class Explained(NamedTuple):
    """An entry of the runbook: its code, the messages that carry it, and what it says of them."""

    code: str
    terms: tuple[str, ...]
    text: str


@cache
def entries() -> tuple[Explained, ...]:
    """The runbook, by code, in its order."""
    found = re.findall(r"^(PAY-\S+)\n((?:    .+\n)+)\n((?:    .+\n)+)", RUNBOOK.read_text(), re.MULTILINE)
    return tuple(
        Explained(code, tuple(re.findall("``(.+?)``", " ".join(terms.split()))), " ".join(text.split()))
        for code, terms, text in found
    )


def fits(term: str, template: str) -> bool:
    """Whether ``term`` is about what ``template`` becomes."""
    return re.fullmatch(".*".join(map(re.escape, term.split(GAP))), template) is not None


@cache
def coded() -> tuple[tuple[str, str, str], ...]:
    """Each text in the product that begins with a code: its file, the code, and the words behind it."""
    files = [path for folder in ("payments", "worker", "deploy") for path in (ROOT / folder).rglob("*.py")]
    return tuple(
        (str(path.relative_to(ROOT)), code[0].strip(), " ".join(_BEGINNING.sub("", template).split()))
        for path in files
        for template in templates_in(path)
        if (code := _BEGINNING.match(template))
    )


def test_each_message_that_an_operator_may_meet_has_a_code() -> None:
    without = [
        (each.path, template)
        for each in messages()
        for template in each.templates
        if not CODE.match(template) and (each.path, template) not in WRAPPERS
    ]
    assert without == []


def test_the_runbook_explains_each_code_once_in_their_order() -> None:
    codes = [each.code for each in entries()]
    assert codes == sorted(set(codes))
    assert set(codes) == {code for _, code, _ in coded()}


def test_codes_that_alerts_name_are_in_the_runbook() -> None:
    named = {code for path in (ROOT / "deploy/prometheus").iterdir() for code in CODE.findall(path.read_text())}
    assert named
    assert named - {each.code for each in entries()} == set()


def test_messages_without_words_of_their_own_pass_on_others() -> None:
    assert sorted(each.path for each in messages() if not each.templates) == sorted(WORDLESS)


def test_a_message_is_explained_under_its_own_code() -> None:
    terms = {each.code: each.terms for each in entries()}
    wrong = [each for each in coded() if each[2] != GAP and not any(fits(term, each[2]) for term in terms[each[1]])]
    assert wrong == []


def test_nothing_is_explained_that_is_never_said() -> None:
    said = {(code, words) for _, code, words in coded()}
    never = [
        (each.code, term)
        for each in entries()
        for term in each.terms
        if (each.code, GAP) not in said and not any(fits(term, words) for code, words in said if code == each.code)
    ]
    assert never == []


def test_each_entry_says_what_to_do_in_words() -> None:
    assert [each.code for each in entries() if len(each.text.split()) < 5 or not each.terms] == []


def test_messages_of_libraries_are_what_these_say() -> None:
    text = RUNBOOK.read_text()
    for words, module in LIBRARIES.items():
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        assert any(fits(words, template) for template in templates_in(Path(spec.origin)))
        assert f"\n{words}\n" in text
