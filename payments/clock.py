"""The one clock. What needs the time is handed a function like ``now_ms``, so that tests can hand it another."""

import time

monotonic_s = time.perf_counter
"""Seconds from some moment on, whatever becomes of the system's clock: for measuring."""


def now_ms() -> int:
    """Milliseconds since the Unix epoch, by the system's clock."""
    return time.time_ns() // 1_000_000
