"""What a gateway calls: ``Reporter``, and one ``ReportedSession`` for each viewer.

So far events are kept in memory only: the spool is yet to come, and with it a reporter that survives its own death.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

import requests

from payments.clock import now_ms
from payments.domain.sessions import END, HEARTBEAT, START
from payments.domain.times import format_time
from payments.edge.settings import EdgeSettings

log = logging.getLogger(__name__)

_BATCH_EVENTS = 500
_PACE_S = 0.2


class Status(NamedTuple):
    """How the reporter fares, since it was started.

    Attributes:
        open: sessions that have begun and not ended.
        pending: events that are not delivered yet.
        delivered: events that Payments has taken; ``rejected``: those that it refused for good.
        thinned: heartbeats that were left out because the spool was full.
        spool_bytes: what the spool takes up on disk.
        last_error: why delivery, or the spool, does not do at present; ``None`` while all is well.
    """

    open: int
    pending: int
    delivered: int
    rejected: int
    thinned: int
    spool_bytes: int
    last_error: str | None


class ReportedSession:
    """One viewer's connection. Thread-safe; nothing here waits or raises."""

    def __init__(self, reporter: "Reporter", fields: dict[str, Any], evidence: Callable[[], int] | None) -> None:
        self.session_id = str(uuid4())
        self._evidence = evidence
        self._last_ms = 0
        self._reporter = reporter
        self._fields = fields

    def set_streamer(self, streamer_id: str) -> None:
        """Name what the viewer watches; told with the session's next event."""
        self._fields["streamer_id"] = streamer_id

    def end(self, at_ms: int | None = None) -> None:
        """The viewer is gone, since ``at_ms`` (``None``: now). Later calls change nothing."""
        self._reporter._end(self, at_ms)


class Reporter:
    """Tells Payments of sessions: that they begin, go on, and end. Thread-safe; no call waits for the network."""

    def __init__(self, settings: EdgeSettings, clock: Callable[[], int] = now_ms) -> None:
        """``clock``: milliseconds since the Unix epoch."""
        self._settings = settings
        self._clock = clock
        self._guard = threading.Lock()
        self._open: dict[ReportedSession, float] = {}
        self._seqs: dict[str, int] = {}
        self._pending: deque[dict[str, Any]] = deque()
        self._delivered = self._rejected = 0
        self._last_error: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to deliver. Once."""
        self._thread.start()

    def open(
        self,
        upstream_addr: str,
        upstream_port: int | None,
        streamer_id: str | None = None,
        evidence: Callable[[], int] | None = None,
    ) -> ReportedSession:
        """A viewer is connected to the game host at that IP: the session has begun.

        ``evidence`` says until when (milliseconds since the epoch) the viewer is known to have been there: a heartbeat
        claims no more than that. Called from the reporter's thread. ``None``: until now.
        """
        fields = {"upstream_addr": upstream_addr, "upstream_port": upstream_port, "streamer_id": streamer_id}
        session = ReportedSession(self, fields, evidence)
        with self._guard:
            self._open[session] = time.monotonic() + random.random() * self._settings.heartbeat_s  # noqa: S311
            self._add(session, START)
        return session

    def close(self, timeout_s: float) -> bool:
        """Deliver what there is, for up to ``timeout_s``; whether all was delivered. Ends no session by itself."""
        self._closing.set()
        self._thread.join(timeout_s)
        return not self._pending

    def status(self) -> Status:
        """How it fares."""
        return Status(
            len(self._open), len(self._pending), self._delivered, self._rejected, 0, 0, self._last_error
        )  # fmt: skip

    def _end(self, session: ReportedSession, at_ms: int | None) -> None:
        with self._guard:
            if self._open.pop(session, None) is not None:
                self._add(session, END, at_ms)

    def _add(self, session: ReportedSession, event: str, at_ms: int | None = None) -> None:
        now_ms = self._clock()
        session._last_ms = max(session._last_ms, now_ms if at_ms is None else min(at_ms, now_ms))
        seq = self._seqs[session.session_id] = self._seqs.get(session.session_id, 0) + 1
        said = {name: value for name, value in session._fields.items() if value is not None}
        stamps = {"event_id": str(uuid4()), "seq": seq, "occurred_at": format_time(session._last_ms)}
        self._pending.append(
            {"session_id": session.session_id, "event": event, "edge_id": self._settings.edge_id, **said, **stamps}
        )

    def _run(self) -> None:
        while not (self._closing.is_set() and not self._pending):
            time.sleep(_PACE_S)
            with self._guard:
                now_s = time.monotonic()
                for session, due_s in self._open.items():
                    if due_s <= now_s:
                        self._open[session] = due_s + self._settings.heartbeat_s
                        self._add(session, HEARTBEAT, session._evidence and session._evidence())
                batch = [self._pending[each] for each in range(min(len(self._pending), _BATCH_EVENTS))]
            if batch and self._send(batch):
                for _ in batch:
                    self._pending.popleft()

    def _send(self, batch: list[dict[str, Any]]) -> bool:
        token = self._settings.session_token
        headers = {"X-Session-Token": token} if token else {}
        url = f"{self._settings.api_url}/api/sessions/events/batch"
        try:
            answer = requests.post(url, json=batch, headers=headers, timeout=5, allow_redirects=False)
            answer.raise_for_status()
        except requests.RequestException as error:
            self._last_error = f"{self._settings.api_url}: no answer ({type(error).__name__})"
            return False
        refused = sum("problem" in result for result in answer.json()["results"])
        self._rejected += refused
        self._delivered += len(batch) - refused
        self._last_error = None
        return True
