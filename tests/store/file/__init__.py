"""The file engine: processes, faults, damage, crashes.

Modules:

``history``         a journal of sixteen entries, with its whole story, to be damaged
``golden_history``  how the golden files of format version 1 were made
``store_process``   one of several processes on the same files
``crash``           crash states
"""
