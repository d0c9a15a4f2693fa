"""Every defect of ``tests.mutants`` can still be planted."""

import pytest

from tests.harness import ROOT
from tests.mutants import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_defect_can_be_planted(mutant: Mutant) -> None:
    planted, sound = mutant.planted(ROOT), (ROOT / mutant.path).read_text()
    assert compile(planted, mutant.path, "exec") != compile(sound, mutant.path, "exec")
    assert (ROOT / mutant.tests.split()[0]).is_file()


def test_each_defect_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
