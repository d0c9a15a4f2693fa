"""The ``payments`` command, in this process and as one of its own.

Modules:

``command``  the command on a data folder of its own
"""
