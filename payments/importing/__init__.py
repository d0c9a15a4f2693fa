"""Taking over what another backend has kept.

Its files are read whole and never written. What comes of them is a plan, made without touching anything; carrying it
out is a few commands that are recorded once however often they are tried, so that a crash half-way asks for nothing but
the same import again. Nothing is guessed: what is malformed is named and stops the import before it writes.

``amounts``       decimals of any length -> wei, and what is left below one; moments to the microsecond
``livepeer_ops``  the files of a livepeer-ops backend -> ``Found``
``journal``       its ledger journal, line by line -> what its changes add up to
``report``        what is said of each thing that was found
``orchestrators``, ``balances``, ``sessions``  what of ``Found`` is taken over, and what is not and why
``plan``          all of it as one ``ImportPlan``, and carrying that out

May import ``payments.errors``, ``payments.domain``, ``payments.fields``, ``payments.strictjson``,
``payments.settings``, ``payments.registry`` and ``payments.store``. Not here: how a plan is shown (``payments.cli``).
"""

from payments.importing.livepeer_ops import read_folder
from payments.importing.plan import ExistingState, ImportPlan, carry_out, make_plan
from payments.importing.report import ImportRefused, Item

__all__ = ["ExistingState", "ImportPlan", "ImportRefused", "Item", "carry_out", "make_plan", "read_folder"]
