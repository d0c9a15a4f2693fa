"""Every defect of ``tests.mutants`` can still be planted."""

from pathlib import Path

import pytest

from tests.harness import ROOT
from tests.mutants import MUTANTS, Mutant
from tests.mutants.mutant import NotPlanted


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_defect_can_be_planted(mutant: Mutant) -> None:
    planted, sound = mutant.planted(ROOT), (ROOT / mutant.path).read_text()
    assert compile(planted, mutant.path, "exec") != compile(sound, mutant.path, "exec")
    assert (ROOT / mutant.tests.split()[0]).is_file()


def test_each_defect_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


SOURCE = """
def total(amounts):
    for each in amounts:
        if each.is_paid and each.wei > 0:
            yield each.wei
    if amounts.is_paid and amounts.wei > 1:
        return
"""


@pytest.mark.parametrize(
    "renamed",
    [{}, {"each": "payment"}, {"is_paid": "is_settled", "wei": "amount_wei"}, {"each": "one", "is_paid": "paid"}],
    ids=["nothing", "variable", "attributes", "both"],
)
def test_a_defect_is_planted_though_names_have_changed(tmp_path: Path, renamed: dict[str, str]) -> None:
    mutant = Mutant("unpaid-is-paid", "code.py", "if each.is_paid and each.wei > 0:", "if each.wei >= 0:", "")
    source, wanted = SOURCE, SOURCE.replace(mutant.old, mutant.new)
    for old, new in renamed.items():
        source, wanted = source.replace(old, new), wanted.replace(old, new)
    (tmp_path / "code.py").write_text(source)
    assert mutant.planted(tmp_path) == wanted


@pytest.mark.parametrize("old", ["if each.is_paid or each.wei > 0:", "if one.two and three.four > 0:", "return\n    x"])
def test_a_defect_is_not_planted_in_other_code(tmp_path: Path, old: str) -> None:
    (tmp_path / "code.py").write_text(SOURCE)
    with pytest.raises(NotPlanted):
        Mutant("elsewhere", "code.py", old, "pass", "").planted(tmp_path)
