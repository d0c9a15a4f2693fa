"""Crash states of the file engine, after ALICE (Pillai et al., OSDI'14): what a power cut can leave on disk.

``python -m tests.store.file.crash 100000`` checks that many states and prints what it counted.

Modules:

``workload``   writers that share a journal, in an order that a seed repeats
``recording``  a disk that logs every change
``states``     pure: what a power cut after each prefix of that log can leave on disk
``campaign``   lays each state out, opens a store on it, and checks what was acknowledged by then
"""
