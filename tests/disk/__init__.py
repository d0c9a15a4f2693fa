"""File operations, locks between processes, and replacement of files.

Modules:

``scripted``   disks that do not sync, that record every call, or that fail
``contender``  a process that takes a lock
"""
