"""Logs a lasting problem once, then every 5 minutes, so that it does not bury other lines."""

from collections.abc import Callable

_INTERVAL_S = 300


class LogThrottle:
    """Remembers when each problem was last logged, by a key of the caller's choice."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._logged_s: dict[str, float] = {}

    def allow(self, key: str) -> bool:
        """Whether to log the problem now. If so, it counts as logged."""
        now_s = self._monotonic_s()
        if now_s - self._logged_s.get(key, -_INTERVAL_S) < _INTERVAL_S:
            return False
        self._logged_s[key] = now_s
        return True

    def clear(self, key: str) -> bool:
        """The problem is over. Returns whether it was logged, so that its end should be logged too."""
        return self._logged_s.pop(key, None) is not None
