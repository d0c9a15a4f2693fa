"""The rules, without disk or network.

Modules:

``ledger_driver``  drives the pure core through stories
``strategies``     any record, for property tests
"""
