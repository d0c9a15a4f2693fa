"""Open sessions: numbers and timestamps their events, and knows when heartbeats are due. Thread-safe.

A session takes the system's clock at its start and adds monotonic time from there on. So adjusting the clock while a
viewer watches neither adds nor removes billed time.
"""

import logging
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any
from uuid import UUID, uuid4

from marshmallow import ValidationError

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.events import SessionLabels, SpooledEvent
from payments.events import EventSchema
from payments.fields import Strict

log = logging.getLogger(__name__)

_FIELDS = EventSchema().load_fields
_PHASES = 4096
_EARLY_S = 0.2


class ReportedSession:
    """One viewer's connection. Thread-safe; its methods neither block nor raise.

    Attributes:
        first_heartbeat_s: seconds from its start to its first heartbeat; the others follow at the interval.
    """

    def __init__(
        self,
        sessions: "Sessions",
        labels: SessionLabels,
        begun_ms: int,
        first_heartbeat_s: float,
        last_seen_ms: Callable[[], int] | None,
    ) -> None:
        self.session_id = labels.session_id
        self.first_heartbeat_s = first_heartbeat_s
        self._sessions = sessions
        self._labels = labels
        self._last_seen_ms = last_seen_ms
        self._begun_ms = self._last_ms = begun_ms
        self._begun_s = sessions.monotonic_s()
        self._seq = 0
        self._is_over = False

    def set_streamer(self, streamer_id: str) -> None:
        """Set the streamer that the viewer watches; the session's next event reports it."""
        streamer_id = _valid_or_none("streamer_id", streamer_id)
        if streamer_id is not None:
            self._labels = self._labels._replace(streamer_id=streamer_id)

    def end(self, at_ms: int | None = None) -> None:
        """The viewer left at ``at_ms`` (milliseconds since the epoch; ``None``: now). Later calls do nothing."""
        self._sessions.add(self, END, at_ms)

    def _next(self, kind: str, at_ms: int | None) -> SpooledEvent:
        """Make its next event. Its time is never before that of the last one, whatever ``at_ms`` or the clock says."""
        moment_ms = self._begun_ms + round((self._sessions.monotonic_s() - self._begun_s) * 1000)
        if at_ms is not None:
            # Use the age: this session's time differs from the clock's once the clock was adjusted.
            moment_ms -= max(0, self._sessions.clock() - at_ms)
        self._last_ms = max(self._last_ms, moment_ms)
        self._seq += 1
        return SpooledEvent(self._labels, kind, self._seq, self._last_ms, str(uuid4()))


class Sessions:
    """All open sessions.

    Attributes:
        open: their number.
    """

    def __init__(
        self,
        edge_id: str,
        heartbeat_s: float,
        put: Callable[[SpooledEvent], None],
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        """``put`` is called with each event, in order within a session; it must not block."""
        self.open = 0
        self.clock = clock
        self.monotonic_s = monotonic
        self._edge_id = edge_id
        self._heartbeat_s = heartbeat_s
        self._put = put
        self._new_id = new_id
        self._lock = threading.Lock()
        self._due: list[tuple[float, str, ReportedSession]] = []

    def begin(
        self,
        upstream_addr: str,
        upstream_port: int | None,
        streamer_id: str | None,
        last_seen_ms: Callable[[], int] | None,
    ) -> ReportedSession:
        """Start a session now."""
        session_id = self._new_id()
        labels = SessionLabels(
            str(session_id),
            self._edge_id,
            # The zone after % names a network interface of this machine; it means nothing elsewhere.
            _valid_or_none("upstream_addr", upstream_addr.partition("%")[0]),
            None if upstream_port is None else _valid_or_none("upstream_port", upstream_port),
            None if streamer_id is None else _valid_or_none("streamer_id", streamer_id),
        )
        # Spread heartbeats of viewers who come at the same moment.
        phase_s = self._heartbeat_s * (session_id.int % _PHASES + 1) / _PHASES
        session = ReportedSession(self, labels, self.clock(), phase_s, last_seen_ms)
        with self._lock:
            self.open += 1
            heappush(self._due, (self.monotonic_s() + phase_s, session.session_id, session))
        self.add(session, START, None)
        return session

    def add(self, session: ReportedSession, kind: str, at_ms: int | None) -> None:
        """Put the next event of ``session``, unless it has ended."""
        with self._lock:
            if session._is_over:
                return
            if kind == END:
                session._is_over = True
                self.open -= 1
            self._put(session._next(kind, at_ms))

    def put_due_heartbeats(self) -> None:
        """Put the heartbeats that are due or nearly so: they share a sync, and none is late."""
        now_s = self.monotonic_s()
        for due_s, session in self._pop_due(now_s + min(_EARLY_S, self._heartbeat_s / 5)):
            self.add(session, HEARTBEAT, _ask_last_seen_ms(session._last_seen_ms))
            # Skip heartbeats missed while the machine slept, but keep the phase, so that sessions stay spread out.
            missed = max(0, int((now_s - due_s) / self._heartbeat_s))
            with self._lock:
                heappush(self._due, (due_s + (missed + 1) * self._heartbeat_s, session.session_id, session))

    def until_next_s(self) -> float | None:
        """Seconds until the next heartbeat is due; ``None``: no session is open."""
        with self._lock:
            return self._due[0][0] - self.monotonic_s() if self._due else None

    def _pop_due(self, until_s: float) -> list[tuple[float, ReportedSession]]:
        due = []
        with self._lock:
            while self._due and self._due[0][0] <= until_s:
                due_s, _, session = heappop(self._due)
                if not session._is_over:
                    due.append((due_s, session))
        return due


def _ask_last_seen_ms(last_seen_ms: Callable[[], int] | None) -> int | None:
    """The result of ``last_seen_ms``. If it fails, the epoch: claim no time that is not known."""
    if last_seen_ms is None:
        return None
    try:
        return last_seen_ms()
    except Exception:
        # A bug in the gateway must not stop the heartbeats of all other sessions.
        log.exception("PAY-E27 asking a session until when it is known to live failed")
        return 0


def _valid_or_none(name: str, value: Any) -> Any:
    """``value`` as Payments accepts it for the field ``name``. If it does not, log that and return ``None``."""
    field = _FIELDS[name]
    assert isinstance(field, Strict)
    try:
        return field.read(value)
    except ValidationError as error:
        log.warning(
            "PAY-E19 %s %s is left out of the events of a session: %s", name, ascii(value)[:80],
            " ".join(map(str, error.messages)),
        )  # fmt: skip
        return None
