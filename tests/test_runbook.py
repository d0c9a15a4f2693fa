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


def coded() -> list[tuple[str, str, str]]:
    """Each message with words: where it is, its code (or nothing), and its words without that code."""
    return [
        (
            f"{each.path}, line {each.line}",
            code[0].strip() if (code := _BEGINNING.match(template)) else "",
            _BEGINNING.sub("", template),
        )
        for each in messages()
        for template in each.templates
    ]


def codes_in_source() -> set[str]:
    """All codes that the product can say."""
    files = [path for folder in ("payments", "worker", "deploy") for path in (ROOT / folder).rglob("*.py")]
    return {code for path in files for code in CODE.findall(path.read_text())}


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
    assert set(codes) == codes_in_source()


def test_codes_that_alerts_name_are_in_the_runbook() -> None:
    named = {code for path in (ROOT / "deploy/prometheus").iterdir() for code in CODE.findall(path.read_text())}
    assert named
    assert named - {each.code for each in entries()} == set()


def test_a_message_is_explained_under_its_own_code() -> None:
    terms = {each.code: each.terms for each in entries()}
    wrong = [
        (place, code, words)
        for place, code, words in coded()
        if code and words != GAP and not any(fits(term, words) for term in terms.get(code, ()))
    ]
    assert wrong == []


def test_nothing_is_explained_that_is_never_said() -> None:
    said: dict[str, list[str]] = {}
    for _, code, words in coded():
        said.setdefault(code, []).append(words)
    elsewhere = templates_in(ROOT / "payments/web/worker.py") | templates_in(ROOT / "payments/web/trace.py")
    elsewhere |= templates_in(ROOT / "payments/importing/report.py") | templates_in(ROOT / "payments/configuration.py")
    elsewhere |= templates_in(ROOT / "payments/cli/preflight.py")
    spare = [re.sub(r"^PAY-\S+ ", "", each) for each in elsewhere]
    never = [
        (each.code, term)
        for each in entries()
        for term in each.terms
        if not any(fits(term, words) for words in said.get(each.code, []) + spare)
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
