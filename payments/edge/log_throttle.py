"""Saying a thing once, and then every few minutes while it lasts: a log that is full of one line hides the others."""

from collections.abc import Callable

_EVERY_S = 300


class LogThrottle:
    """Remembers what was said when."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._said_s: dict[str, float] = {}

    def allow(self, what: str) -> bool:
        """Whether to say it now; then it counts as said."""
        now_s = self._monotonic_s()
        if now_s - self._said_s.get(what, -_EVERY_S) < _EVERY_S:
            return False
        self._said_s[what] = now_s
        return True

    def clear(self, what: str) -> bool:
        """It does not last any longer; whether it was said, and so the end of it is worth a word."""
        return self._said_s.pop(what, None) is not None
