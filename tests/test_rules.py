"""The rule book and the code that cites it: no citation leads nowhere, and no rule is carried out by nobody."""

import re

import pytest

from tests.harness import ROOT

RULES = ROOT / "payments" / "RULES.rst"

_RULE = re.compile(r"^(\d\.\d+) \*\*", re.MULTILINE)
_NUMBER = r"\d\.\d+"
_CITED = re.compile(rf"\b[Rr]ules?\s+({_NUMBER}(?:(?:,\s+|\s+and\s+|,\s+and\s+|\s+to\s+){_NUMBER})*)")
_OTHER_FORMS = re.compile(r"SPEC\.md|\b[Rr]ules? \d+\b(?!\.)")


def cited(text: str) -> set[str]:
    """The rules that ``text`` cites: ``rule 4.4``, ``rules 4.4 and 4.7``, ``rules 4.5 to 4.7, 4.14``."""
    text, found = re.sub(r"\s+", " ", text), set()
    for citation in _CITED.findall(text):
        for part in re.split(r", and |, | and ", citation):
            first, _, last = part.partition(" to ")
            section, begin = first.split(".")
            end = last.split(".")[1] if last else begin
            assert not last or last.split(".")[0] == section, f"{part}: of two sections"
            found |= {f"{section}.{number}" for number in range(int(begin), int(end) + 1)}
    return found


def rules() -> list[str]:
    """The numbers in the rule book, in its order."""
    return _RULE.findall(RULES.read_text())


def sources(*folders: str) -> dict[str, str]:
    """The code below ``folders``, by name."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in files if "node_modules" not in path.parts}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("by rule 4.4, and", {"4.4"}),
        ("Rules 4.4 and 4.7.", {"4.4", "4.7"}),
        ("rules 4.5 to\n    4.7, 4.10 and 4.14", {"4.5", "4.6", "4.7", "4.10", "4.14"}),
        ("section 4.1 of RFC 6455, and 3.11", set()),
    ],
)
def test_a_citation_is_read_in_every_form(text: str, numbers: set[str]) -> None:
    assert cited(text) == numbers


def test_each_rule_has_a_number_of_its_own_in_ascending_order() -> None:
    numbers = [tuple(map(int, number.split("."))) for number in rules()]
    assert len(numbers) > 30
    assert numbers == sorted(set(numbers))


def test_each_rule_that_is_cited_exists() -> None:
    # A range may pass over a number that is kept for a rule to come.
    known = {*rules(), "4.12", "4.13"}
    texts = {**sources("payments", "worker", "deploy", "tests"), "payments/RULES.rst": RULES.read_text()}
    del texts["tests/test_rules.py"]
    assert {name: wrong for name, text in texts.items() if (wrong := cited(text) - known)} == {}


def test_each_rule_is_cited_by_the_code_that_carries_it_out() -> None:
    by_product = set[str]().union(*map(cited, sources("payments", "worker", "deploy").values()))
    assert sorted(set(rules()) - by_product) == []


def test_no_rule_book_is_cited_that_a_reader_does_not_have() -> None:
    texts = sources("payments", "worker", "deploy", "tests")
    del texts["tests/test_rules.py"]
    assert {name: found for name, text in texts.items() if (found := _OTHER_FORMS.findall(text))} == {}
