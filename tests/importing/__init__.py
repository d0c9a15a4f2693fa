"""Importing: what livepeer-ops has written is taken over to the wei and to the millisecond, once, or not at all.

``data`` is a data folder of livepeer-ops, written by its own code (``make_data.py``). Its story ends at ``END_MS``.
"""
