"""How long to wait before the next try. Pure."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

_FIRST_S = 0.5
_MAX_S = 30.0
_MIN_RETRY_AFTER_S, _MAX_RETRY_AFTER_S = 0.5, 300.0


class Backoff:
    """Waits double with each failure, up to 30 s. Up to half is taken off at random, so that edges spread out."""

    def __init__(self, random: Callable[[], float]) -> None:
        """``random`` returns numbers in [0, 1)."""
        self._random = random
        self._failures = 0

    def next_wait_s(self, retry_after_s: float | None = None) -> float:
        """Seconds to wait after one more failure. ``retry_after_s`` overrides the backoff; up to a tenth is added."""
        if retry_after_s is not None:
            return max(_MIN_RETRY_AFTER_S, retry_after_s) * (1 + self._random() / 10)
        longest_s = min(_MAX_S, _FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return longest_s * (1 + self._random()) / 2

    def reset(self) -> None:
        """Start again from the shortest wait."""
        self._failures = 0


def parse_retry_after_s(retry_after: str | None, now_ms: int) -> float | None:
    """Seconds that a ``Retry-After`` header (number or date) asks for, at most 300; ``None``: absent or unreadable.

    ``now_ms``: milliseconds since the epoch.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now_ms / 1000
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), _MAX_RETRY_AFTER_S)
