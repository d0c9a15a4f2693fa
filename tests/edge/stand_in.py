"""A stand-in for Payments that speaks HTTP on loopback and can be told to misbehave; beneath, the real rules decide."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeAlias

from marshmallow import ValidationError

from payments.domain.decisions import Outcome
from payments.events import load_event
from payments.web.problems import problem, rejection
from tests.harness import NOON_MS, Clock, memory_store

ONE, MANY = "/api/sessions/events", "/api/sessions/events/batch"


class ReceivedCall(NamedTuple):
    """One request. ``items``: the events in its body, one or a batch."""

    path: str
    headers: dict[str, str]
    items: list[Any]


class StandInReply(NamedTuple):
    """What is answered in place of the truth."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Misbehaviour: TypeAlias = StandInReply | Callable[[ReceivedCall, "Handler"], StandInReply | None]
"""A reply; or what gives one, or ``None`` for the truth."""


class ReceivedEvent(NamedTuple):
    """An event that came, and what the rules said of it: an outcome, or the ``type`` of a problem."""

    event: dict[str, Any]
    outcome: str


class StandIn:
    """Payments, as far as an edge can see it.

    Attributes:
        url: where it listens; ``calls``: the requests so far; ``recorded``: the events that came to be decided.
        script: what the next calls meet; ``always``: what those meet that the script says nothing of.
        refused: session ids of which every event is refused.
        clock: by which it receives.
    """

    def __init__(self, clock: Clock | None = None, address: str = "127.0.0.1") -> None:
        self.clock = clock or Clock(NOON_MS)
        self.calls: list[ReceivedCall] = []
        self.recorded: list[ReceivedEvent] = []
        self.script: deque[Misbehaviour] = deque()
        self.always: Misbehaviour | None = None
        self.refused: set[str] = set()
        self.store = memory_store(clock=self.clock)
        self._deciding = threading.Lock()
        self._server = _Server((address.strip("[]"), 0), Handler)
        self._server.stand_in = self  # type: ignore[attr-defined]
        self.url = f"http://{address}:{self._server.server_address[1]}"

    def of(self, session_id: str) -> list[ReceivedEvent]:
        """What came of that session."""
        return [each for each in self.recorded if each.event.get("session_id") == session_id]

    def kinds(self, session_id: str) -> list[str]:
        """The events of that session that counted, in the order in which they came."""
        return [each.event["event"] for each in self.of(session_id) if each.outcome == "recorded"]

    def decide(self, call: ReceivedCall) -> StandInReply:
        """The truth."""
        with self._deciding:
            results = [self._result(item) for item in call.items]
        if call.path == MANY:
            return StandInReply(200, json.dumps({"results": results}).encode())
        found = results[0].get("problem")
        return StandInReply(found["status"] if found else 200, json.dumps(found or results[0]).encode())

    def answer(self, call: ReceivedCall, handler: "Handler") -> StandInReply | None:
        self.calls.append(call)
        planned = self.script.popleft() if self.script else self.always
        if planned is None:
            return self.decide(call)
        return planned if isinstance(planned, StandInReply) else planned(call, handler) or self.decide(call)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _result(self, item: Any) -> dict[str, Any]:
        try:
            event = load_event(item, self.clock())
            if event.session_id in self.refused:
                raise ValidationError({"session_id": ["Refused by this test."]})
            result = self.store.execute([event])[0]
            if not isinstance(result, Outcome):
                raise result
        except Exception as error:
            said = rejection(error)  # type: ignore[arg-type]
            self.recorded.append(ReceivedEvent(item, said["type"]))
            return {"session_id": item.get("session_id"), "problem": said}
        self.recorded.append(ReceivedEvent(item, result.kind))
        return {"session_id": event.session_id, "outcome": result.kind}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type["Handler"]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One connection to the stand-in."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        value = json.loads(body)
        call = ReceivedCall(self.path, dict(self.headers), value if isinstance(value, list) else [value])
        stand_in: StandIn = self.server.stand_in  # type: ignore[attr-defined]
        reply = stand_in.answer(call, self)
        assert reply is not None
        if reply.status == CUT:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, said in reply.headers:
            self.send_header(name, said)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nobody reads it."""


CUT = 0
"""The status of a reply that is none: the connection is closed."""


def refusal(status: int, kind: str = "invalid", **headers: str) -> StandInReply:
    """A problem document, as Payments and nginx in front of it write them."""
    body = {**problem(kind, "said by this test"), "status": status}
    return StandInReply(
        status, json.dumps(body).encode(), tuple((name.replace("_", "-"), said) for name, said in headers.items())
    )


def lost(call: ReceivedCall, handler: Handler) -> StandInReply:
    """Do as one is told, and let the answer be lost on its way."""
    handler.server.stand_in.decide(call)  # type: ignore[attr-defined]
    return StandInReply(CUT)


def whole_refusal(status: int, is_bad: Callable[[Sequence[Any]], bool]) -> Misbehaviour:
    """Refuse a body as a whole where it ``is_bad``."""
    return lambda call, _: refusal(status) if is_bad(call.items) else None


@contextmanager
def standing_in(clock: Clock | None = None, address: str = "127.0.0.1") -> Iterator[StandIn]:
    """A stand-in that listens until the end, at ``address``, as it is written in an address."""
    stand_in = StandIn(clock, address)
    thread = threading.Thread(target=stand_in.serve)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.close()
        thread.join()
