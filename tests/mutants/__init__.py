"""Planted defects: snippets of source and their replacements, each with the tests that must notice it.

Modules:

``mutant``   ``Mutant``
``domain``   defects in the rules
``writing``  defects in what writes the journal, and the disk below it
``reading``  defects in what reads the journal, and in the projections
``serving``  defects in the API, the worker and the command
``edge``     defects in the gateway and the reporter
"""

from tests.mutants import domain, edge, reading, serving, writing
from tests.mutants.mutant import Mutant, NotPlanted

__all__ = ["MUTANTS", "Mutant", "NotPlanted"]

MUTANTS = (*writing.MUTANTS, *reading.MUTANTS, *domain.MUTANTS, *serving.MUTANTS, *edge.MUTANTS)
