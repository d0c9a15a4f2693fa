"""The clock. Code that needs the time takes a function like ``now_ms`` as an argument, which tests replace."""

import time

monotonic_s = time.perf_counter
"""Seconds since an arbitrary moment, unaffected by changes of the system's clock: for measuring."""


def now_ms() -> int:
    """Milliseconds since the Unix epoch, by the system's clock."""
    return time.time_ns() // 1_000_000
