"""Crash-state enumeration for the file engine, after ALICE (Pillai et al., OSDI'14).

``workload`` lets several writers share a journal, in a random order that a seed repeats, on a disk that keeps a log of
every change (``recording``). ``states`` works out what a loss of power after each prefix of that log can leave on disk.
``campaign`` lays each such state out, opens a store on it, and holds it to what had been acknowledged by then.

``python -m tests.store.file.crash 100000`` checks that many states and prints what it counted.
"""
