"""The rule book and the code that cites it: no citation leads nowhere, and no rule is carried out by nobody."""

import re

import pytest

from tests.harness import ROOT

RULES = ROOT / "payments" / "RULES.rst"

_RULE = re.compile(r"^(\d\.\d+) \*\*", re.MULTILINE)
_NUMBER = r"\d\.\d+"
_CITED = re.compile(rf"\b[Rr]ules?\s+({_NUMBER}(?:(?:,\s+|\s+and\s+|,\s+and\s+|\s+to\s+){_NUMBER})*)")
_OTHER_FORMS = re.compile(r"SPEC\.md|\b[Rr]ules? \d+\b(?!\.)")


def named(text: str) -> set[str]:
    """The numbers in the citations of ``text``: ``rule 4.4``, ``rules 4.4 and 4.7``; of a range, its two ends."""
    return {number for citation in _CITED.findall(text) for number in re.findall(_NUMBER, citation)}


def singled_out(text: str) -> set[str]:
    """As ``named``, without ranges: those say what a module is about, and not where a rule is carried out."""
    parts = [part for citation in _CITED.findall(text) for part in re.split(r",\s+and\s+|,\s+|\s+and\s+", citation)]
    return {part for part in parts if re.fullmatch(_NUMBER, part)}


def rules() -> list[str]:
    """The numbers in the rule book, in its order."""
    return _RULE.findall(RULES.read_text())


def sources(*folders: str) -> dict[str, str]:
    """The code below ``folders``, by name."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in files if "node_modules" not in path.parts}


def documents() -> dict[str, str]:
    """All documents, by name."""
    files = [path for path in ROOT.rglob("*.rst") if not {"node_modules", ".venv"} & set(path.parts)]
    return {str(path.relative_to(ROOT)): path.read_text() for path in files}


@pytest.mark.parametrize(
    ("text", "numbers", "singles"),
    [
        ("by rule 4.4, and", {"4.4"}, {"4.4"}),
        ("Rules 4.4 and 4.7.", {"4.4", "4.7"}, {"4.4", "4.7"}),
        ("rules 4.5 to\n    4.7, 4.10 and 4.14", {"4.5", "4.7", "4.10", "4.14"}, {"4.10", "4.14"}),
        ("rules 4.1, 4.2, and 6.1", {"4.1", "4.2", "6.1"}, {"4.1", "4.2", "6.1"}),
        ("section 4.1 of RFC 6455, and 3.11", set(), set()),
    ],
)
def test_a_citation_is_read_in_every_form(text: str, numbers: set[str], singles: set[str]) -> None:
    assert named(text) == numbers
    assert singled_out(text) == singles


def test_each_rule_has_a_number_of_its_own_in_ascending_order() -> None:
    numbers = [tuple(map(int, number.split("."))) for number in rules()]
    assert len(numbers) > 30
    assert numbers == sorted(set(numbers))


def test_each_rule_that_is_cited_exists() -> None:
    texts = {**sources("payments", "worker", "deploy", "tests"), **documents()}
    del texts["tests/test_rules.py"]
    wrong = {name: sorted(named(text) - set(rules())) for name, text in texts.items()}
    assert {name: numbers for name, numbers in wrong.items() if numbers} == {}


def test_each_rule_that_the_rule_book_refers_to_exists() -> None:
    text = RULES.read_text()
    assert set(re.findall(rf"\(({_NUMBER})\)", text)) - set(rules()) == set()


def test_each_rule_is_cited_by_itself_where_it_is_carried_out() -> None:
    by_product = set[str]().union(*map(singled_out, sources("payments", "worker").values()))
    assert sorted(set(rules()) - by_product) == []


def test_no_rule_book_is_cited_that_a_reader_does_not_have() -> None:
    texts = {**sources("payments", "worker", "deploy", "tests"), **documents()}
    del texts["tests/test_rules.py"]
    assert {name: found for name, text in texts.items() if (found := _OTHER_FORMS.findall(text))} == {}
