"""Events that a stand-in for Payments received."""

from typing import Any

from tests.edge.stand_in import StandIn
from tests.harness import until


def sessions(payments: StandIn) -> dict[str, list[dict[str, Any]]]:
    """All events by session, in order of arrival."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in list(payments.recorded):
        if each.outcome == "recorded":
            found.setdefault(each.event["session_id"], []).append(each.event)
    return found


class Watch:
    """Finds the sessions that begin from now on."""

    def __init__(self, payments: StandIn) -> None:
        self._payments = payments
        self._known = set(sessions(payments))

    @property
    def new(self) -> list[list[dict[str, Any]]]:
        """Events of each new session."""
        return [events for name, events in sessions(self._payments).items() if name not in self._known]

    def begun(self, count: int = 1) -> list[list[dict[str, Any]]]:
        """Wait until so many sessions have begun; return all new ones."""
        until(lambda: len(self.new) >= count, 10)
        return self.new

    def ended(self, count: int = 1, timeout_s: float = 10) -> list[list[dict[str, Any]]]:
        """Wait until so many sessions have ended and none is open; return all new ones."""
        until(lambda: len(self.new) >= count and all(each[-1]["event"] == "end" for each in self.new), timeout_s)
        return self.new
