"""Pure: no IO, no clock, no environment, no Flask.

Decides what a command becomes (``decide``) and folds entries into state (``evolve``). Time is an argument, money is
integer wei, durations are integer milliseconds since the Unix epoch (UTC). May import ``payments.errors`` only.

Not here: how entries are stored (``payments.store``) and how requests look (``payments.web``).
"""
