"""An edge for tests: settings, and the parts of a reporter without its threads, so that tests control each step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from payments.edge.client import PaymentsClient
from payments.edge.delivery import Delivery
from payments.edge.events import SpooledEvent
from payments.edge.sessions import ReportedSession, Sessions
from payments.edge.settings import EdgeSettings
from payments.edge.spool import Spool
from payments.endpoints import Endpoint
from tests.harness import HOST_A, Clock

ROOM = 1 << 20


def edge_settings(url: str, spool: Path, **changed: Any) -> EdgeSettings:
    """Settings of an edge with the spool ``spool``."""
    values = {
        "api_url": url,
        "session_token": None,
        "heartbeat_s": 15,
        "edge_id": "edge-a",
        "spool_dir": spool,
        "spool_bytes": ROOM,
        "listen": Endpoint("127.0.0.1", 8080),
        "upstream": None,
        "routes_path": None,
        "admin_listen": Endpoint("127.0.0.1", 9091),
        "drain_s": 4,
        "ping_s": 15,
        "max_viewers": 4000,
        "max_message_bytes": 1 << 20,
        "behind_proxy": False,
    }
    return EdgeSettings(**{**values, **changed})


class EdgeLife:
    """One run of a reporter in one thread: the test moves its clock, and makes it write and send.

    Attributes:
        clock: the system's clock, in milliseconds; both clocks of the reporter follow it.
    """

    def __init__(
        self, folder: Path, url: str, clock: Clock | None = None, max_bytes: int = ROOM, seed: int | None = None
    ) -> None:
        self.clock = clock or Clock()
        self.inbox: list[SpooledEvent] = []
        self.sessions = Sessions(
            "edge-a", 15, self.inbox.append, clock=self.clock, monotonic=self.monotonic_s,
            new_id=_minting(next(_seeds) if seed is None else seed),
        )  # fmt: skip
        self.spool = Spool(folder, max_bytes, clock=self.clock, monotonic=self.monotonic_s)
        self.caller = PaymentsClient(edge_settings(url, folder))
        self.delivery = Delivery(
            self.spool, self.caller, clock=self.clock, monotonic=self.monotonic_s,
            random=lambda: 0.5,
        )  # fmt: skip

    def monotonic_s(self) -> float:
        return self.clock.now_ms / 1000

    def begin(self, addr: str = HOST_A, streamer_id: str | None = None) -> ReportedSession:
        return self.sessions.begin(addr, 8888, streamer_id, None)

    def write(self) -> None:
        """Do a turn of the reporter's writer; then everything is synced and may be sent."""
        self.sessions.put_due_heartbeats()
        events, self.inbox[:] = list(self.inbox), []
        self.spool.add(events)
        self.spool.sync()

    def pass_s(self, seconds: float, step_s: float = 1.0) -> None:
        """Advance time, with a turn of the writer at each step."""
        end_ms = self.clock.now_ms + round(seconds * 1000)
        while self.clock.now_ms < end_ms:
            self.clock.now_ms = min(end_ms, self.clock.now_ms + round(step_s * 1000))
            self.write()

    def deliver(self, most_steps: int = 100) -> None:
        """Send until nothing is left, and skip the waits."""
        for _ in range(most_steps):
            wait_s = self.delivery.step()
            if wait_s is None:
                return
            self.clock.now_ms += round(wait_s * 1000)
        raise AssertionError("it does not come to an end")


_seeds = count()


def _minting(seed: int) -> Callable[[], UUID]:
    """Session ids, and so phases of heartbeats, from ``seed``.

    No first heartbeat comes within a quarter of the interval, so the first write has starts only.
    """
    numbers = Random(seed)
    return lambda: UUID(int=numbers.getrandbits(128) | 0x400, version=4)


@contextmanager
def edge(folder: Path, url: str, clock: Clock | None = None, max_bytes: int = ROOM) -> Iterator[EdgeLife]:
    """An edge with an open spool, closed at the end."""
    made = EdgeLife(folder, url, clock, max_bytes)
    made.spool.open()
    try:
        yield made
    finally:
        made.spool.close()
        made.caller.close()
