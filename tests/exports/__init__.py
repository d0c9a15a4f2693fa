"""Exports, read by the programs that they are for.

Modules:

``programs``  asks hledger and beancount whether they accept an export, and for its sums
``records``   any entry, for property tests
"""
