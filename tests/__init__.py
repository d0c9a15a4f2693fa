"""One folder per room, and ``system`` for real processes.

Test names are claims. Nothing of our own is mocked: files, processes and sockets are real, and time is a ``Clock`` that
is handed in. ``harness`` has what several folders need.
"""
