"""Importing: livepeer-ops' files are taken over to the wei and the millisecond, once, or not at all.

``data`` is a data folder of livepeer-ops, written by its own code. Its story ends at ``END_MS``.

Modules:

``make_data``       writes ``data``
``import_fixture``  such a folder, and a Payments to take it over
"""
