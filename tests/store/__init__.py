"""The contract of stores, on every engine.

Modules:

``store_fixture``     a store of any engine, with a clock and terms that tests change
``accounts``          invariants of entries and state, computed from the entries
``lifecycle``         a state machine that tells any story an edge can tell, and checks every answer
``lifecycle_worlds``  that machine on stores that are called directly
``file``              tests of the file engine
"""
