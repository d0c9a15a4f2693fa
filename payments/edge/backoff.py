"""How long to wait before trying again. Pure."""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

_FIRST_S = 0.5
_MOST_S = 30.0
_LEAST_TOLD_S, _MOST_TOLD_S = 0.5, 300.0


class Backoff:
    """Doubles from failure to failure up to half a minute, less a random share: edges must not all come at once."""

    def __init__(self, random: Callable[[], float]) -> None:
        """``random``: numbers from 0 up to 1."""
        self._random = random
        self._failures = 0

    def failed_s(self, told_s: float | None = None) -> float:
        """Seconds to wait after one more failure; where it was told, that long, and up to a tenth more."""
        if told_s is not None:
            return max(_LEAST_TOLD_S, told_s) * (1 + self._random() / 10)
        longest_s = min(_MOST_S, _FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return longest_s * (1 + self._random()) / 2

    def succeeded(self) -> None:
        """Begin anew with the next failure."""
        self._failures = 0


def told_s(retry_after: str | None, now_ms: int) -> float | None:
    """The seconds that a ``Retry-After`` asks for, as a number or as a date; up to five minutes; ``None``: none asked.

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
    return min(max(0.0, seconds), _MOST_TOLD_S)
