"""The sessions that are open: their events are numbered and stamped here, and their heartbeats fall due. Thread-safe.

A session's time is the system's clock at its start, and from there on what a clock that is never set says has passed:
the clock may be set while a viewer watches, and still no second is billed that was not one.
"""

import logging
import threading
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any
from uuid import UUID, uuid4

from marshmallow import ValidationError

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.events import SessionLabels, Spooled
from payments.events import EventSchema
from payments.fields import Strict

log = logging.getLogger(__name__)

_FIELDS = EventSchema().load_fields
_PHASES = 4096
_EARLY_S = 0.2


class ReportedSession:
    """One viewer's connection. Thread-safe; nothing here waits, and nothing raises.

    Attributes:
        first_beat_s: how long after its start its first heartbeat is due; the others follow at the interval.
    """

    def __init__(
        self,
        sessions: "Sessions",
        said: SessionLabels,
        begun_ms: int,
        first_beat_s: float,
        evidence: Callable[[], int] | None,
    ) -> None:
        self.session_id = said.session_id
        self.first_beat_s = first_beat_s
        self._sessions = sessions
        self._said = said
        self._evidence = evidence
        self._begun_ms = self._last_ms = begun_ms
        self._begun_s = sessions.monotonic_s()
        self._seq = 0
        self._is_over = False

    def set_streamer(self, streamer_id: str) -> None:
        """Name what the viewer watches; told with the session's next event."""
        streamer_id = _usable("streamer_id", streamer_id)
        if streamer_id is not None:
            self._said = self._said._replace(streamer_id=streamer_id)

    def end(self, at_ms: int | None = None) -> None:
        """The viewer is gone, since ``at_ms`` (milliseconds since the epoch; ``None``: now). Later calls do nothing."""
        self._sessions.add(self, END, at_ms)

    def _next(self, kind: str, at_ms: int | None) -> Spooled:
        """Its next event; never before the last one, whatever ``at_ms`` or the clock says."""
        moment_ms = self._begun_ms + round((self._sessions.monotonic_s() - self._begun_s) * 1000)
        if at_ms is not None:
            # As an age: by this session's time, which is not the clock's any more once that was set.
            moment_ms -= max(0, self._sessions.clock() - at_ms)
        self._last_ms = max(self._last_ms, moment_ms)
        self._seq += 1
        return Spooled(self._said, kind, self._seq, self._last_ms, str(uuid4()))


class Sessions:
    """All of them.

    Attributes:
        open: how many have begun and not ended.
    """

    def __init__(
        self,
        edge_id: str,
        heartbeat_s: float,
        put: Callable[[Spooled], None],
        *,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        mint: Callable[[], UUID] = uuid4,
    ) -> None:
        """``put`` is given each event, those of one session in their order; it must not wait. ``mint`` makes ids."""
        self.open = 0
        self.clock = clock
        self.monotonic_s = monotonic
        self._edge_id = edge_id
        self._heartbeat_s = heartbeat_s
        self._put = put
        self._mint = mint
        self._guard = threading.Lock()
        self._due: list[tuple[float, str, ReportedSession]] = []

    def begin(
        self,
        upstream_addr: str,
        upstream_port: int | None,
        streamer_id: str | None,
        evidence: Callable[[], int] | None,
    ) -> ReportedSession:
        """A session that begins now."""
        session_id = self._mint()
        said = SessionLabels(
            str(session_id),
            self._edge_id,
            # What is behind % says by which network card a neighbour is reached, which is of no use elsewhere.
            _usable("upstream_addr", upstream_addr.partition("%")[0]),
            None if upstream_port is None else _usable("upstream_port", upstream_port),
            None if streamer_id is None else _usable("streamer_id", streamer_id),
        )
        # Viewers who come together must not beat together.
        phase_s = self._heartbeat_s * (session_id.int % _PHASES + 1) / _PHASES
        session = ReportedSession(self, said, self.clock(), phase_s, evidence)
        with self._guard:
            self.open += 1
            heappush(self._due, (self.monotonic_s() + phase_s, session.session_id, session))
        self.add(session, START, None)
        return session

    def add(self, session: ReportedSession, kind: str, at_ms: int | None) -> None:
        """Put the next event of ``session``, unless that is over."""
        with self._guard:
            if session._is_over:
                return
            if kind == END:
                session._is_over = True
                self.open -= 1
            self._put(session._next(kind, at_ms))

    def beat(self) -> None:
        """Put the heartbeats that are due, and those that are nearly: they share a sync, and none comes late."""
        now_s = self.monotonic_s()
        for due_s, session in self._take_due(now_s + min(_EARLY_S, self._heartbeat_s / 5)):
            self.add(session, HEARTBEAT, _known_ms(session._evidence))
            # Those that were slept through are left out. Its phase stays, or they would come to crowd together.
            missed = max(0, int((now_s - due_s) / self._heartbeat_s))
            with self._guard:
                heappush(self._due, (due_s + (missed + 1) * self._heartbeat_s, session.session_id, session))

    def next_s(self) -> float | None:
        """Seconds until one is due; ``None``: nobody is there."""
        with self._guard:
            return self._due[0][0] - self.monotonic_s() if self._due else None

    def _take_due(self, until_s: float) -> list[tuple[float, ReportedSession]]:
        due = []
        with self._guard:
            while self._due and self._due[0][0] <= until_s:
                due_s, _, session = heappop(self._due)
                if not session._is_over:
                    due.append((due_s, session))
        return due


def _known_ms(evidence: Callable[[], int] | None) -> int | None:
    """What ``evidence`` says; the epoch where it fails, so that nothing is claimed that nobody knows of."""
    if evidence is None:
        return None
    try:
        return evidence()
    except Exception:
        # The gateway's defect must not end the heartbeats of all other sessions.
        log.exception("asking a session until when it is known to live failed")
        return 0


def _usable(name: str, value: Any) -> Any:
    """``value`` as Payments takes it for the field ``name``; ``None``, and a line in the log, where it does not."""
    field = _FIELDS[name]
    assert isinstance(field, Strict)
    try:
        return field.read(value)
    except ValidationError as error:
        log.warning(
            "%s %s is left out of the events of a session: %s", name, ascii(value)[:80],
            " ".join(map(str, error.messages)),
        )  # fmt: skip
        return None
