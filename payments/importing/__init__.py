"""Moving in from another backend, livepeer-ops (rule 5.8).

Always true: the other backend's files are read whole and never written. A plan is made first, without touching
anything. Carrying it out is a few commands that are recorded once however often they are tried, so after a crash the
same import completes. Nothing is guessed: the import names malformed input and stops before it writes.

Not here: how a plan is shown (``payments.cli``).

Modules:

``livepeer_ops``   the files of a livepeer-ops backend
``journal``        its ledger journal, line by line -> the sum of its changes
``amounts``        decimals of any length -> wei and the rest below one; moments to the microsecond
``orchestrators``  which registry records are taken over
``balances``       which balances are taken over
``sessions``       which sessions and power states go on
``plan``           the whole import as one ``ImportPlan``, and carrying it out
``report``         the wording of findings
"""

from payments.importing.livepeer_ops import read_folder
from payments.importing.plan import ExistingState, ImportPlan, carry_out, make_plan
from payments.importing.report import ImportRefused, Item

__all__ = ["ExistingState", "ImportPlan", "ImportRefused", "Item", "carry_out", "make_plan", "read_folder"]
