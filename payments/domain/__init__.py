"""The rules (``payments/RULES.rst``), as pure functions: no IO, no clock, no environment, no Flask.

``decide`` turns a command into entries; ``evolve`` folds entries into state. Time is an argument; money is integer wei;
moments are integer milliseconds since the Unix epoch (UTC), durations integer milliseconds.

Not here: how entries are stored (``payments.store``), what requests look like (``payments.web``).

Modules:

``commands``   ``decide``: a command meets the state and becomes an outcome and entries
``decisions``  what every decision needs and returns
``billing``    decides what an edge's event becomes
``power``      decides what a power reading becomes
``retention``  closes sessions whose end was lost, and forgets sessions that ended long ago
``booking``    decides what an adjustment or a payout becomes
``accounts``   splits an interval: which part earned, and why the rest did not
``entries``    recorded facts: one line of the journal each
``state``      the whole state, and ``evolve``, the only fold that makes it
``ledger``     balances, and the commands of an operator
``sessions``   ``SessionEvent``, which an edge reports, and ``Session``, which the events fold into
``readings``   ``Reading``, and ``PowerState``, which the readings fold into
``overview``   running counts, sums and orders, so that nobody scans the state
``records``    entries, sessions, balances and power states <-> JSON objects
``money``      wei in integers, ETH in decimal strings
``times``      moments as integers and as RFC 3339 text
``addresses``  IP addresses in one spelling, so that equal addresses are equal strings
``units``      types of fields: moments, money, and the words that are allowed
"""
