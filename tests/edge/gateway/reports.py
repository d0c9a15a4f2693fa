"""What was reported to a stand-in for Payments."""

from typing import Any

from tests.edge.stand_in import StandIn
from tests.harness import until


def sessions(payments: StandIn) -> dict[str, list[dict[str, Any]]]:
    """All events by session, in the order in which they came."""
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
        """The events of each."""
        return [events for name, events in sessions(self._payments).items() if name not in self._known]

    def begun(self, count: int = 1) -> list[list[dict[str, Any]]]:
        """When so many have begun, all of them."""
        until(lambda: len(self.new) >= count, 10)
        return self.new

    def ended(self, count: int = 1, timeout_s: float = 10) -> list[list[dict[str, Any]]]:
        """When so many have ended, and no other one is open, all of them."""
        until(lambda: len(self.new) >= count and all(each[-1]["event"] == "end" for each in self.new), timeout_s)
        return self.new
