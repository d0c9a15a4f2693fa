"""Defects to plant, one at a time, each with the tests that must notice it; by what they are in."""

from tests.mutants import domain, edge, reading, serving, writing
from tests.mutants.mutant import Mutant, NotPlanted

__all__ = ["MUTANTS", "Mutant", "NotPlanted"]

MUTANTS = (*writing.MUTANTS, *reading.MUTANTS, *domain.MUTANTS, *serving.MUTANTS, *edge.MUTANTS)
