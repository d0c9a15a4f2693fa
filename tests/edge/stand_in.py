"""An HTTP stand-in for Payments on loopback that can misbehave; the real rules decide beneath it."""

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
    """A request. ``items``: events in its body, one or a batch."""

    path: str
    headers: dict[str, str]
    items: list[Any]


class StandInReply(NamedTuple):
    """A false answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Misbehaviour: TypeAlias = StandInReply | Callable[[ReceivedCall, "Handler"], StandInReply | None]
"""A reply, or a function that returns one; ``None``: the true answer."""


class ReceivedEvent(NamedTuple):
    """A received event, and its outcome or the ``type`` of its problem."""

    event: dict[str, Any]
    outcome: str


class StandIn:
    """Payments, as far as an edge sees it.

    Attributes:
        url: its address; ``calls``: requests so far; ``recorded``: decided events.
        script: answers to the next calls; ``always``: answer to all later ones.
        refused: ids of sessions whose events are all rejected.
        clock: its clock.
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
        """Received events of that session."""
        return [each for each in self.recorded if each.event.get("session_id") == session_id]

    def kinds(self, session_id: str) -> list[str]:
        """Kinds of that session's events that counted, in order of arrival."""
        return [each.event["event"] for each in self.of(session_id) if each.outcome == "recorded"]

    def decide(self, call: ReceivedCall) -> StandInReply:
        """The true answer."""
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
        """Stay quiet: some tests are about clients that give up."""


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
"""Status for no reply: the connection is closed."""


def refusal(status: int, kind: str = "invalid", **headers: str) -> StandInReply:
    """A problem document, as Payments and nginx in front of it write them."""
    body = {**problem(kind, "said by this test"), "status": status}
    return StandInReply(
        status, json.dumps(body).encode(), tuple((name.replace("_", "-"), said) for name, said in headers.items())
    )


def lost(call: ReceivedCall, handler: Handler) -> StandInReply:
    """Process the request, but lose the answer."""
    handler.server.stand_in.decide(call)  # type: ignore[attr-defined]
    return StandInReply(CUT)


def whole_refusal(status: int, is_bad: Callable[[Sequence[Any]], bool]) -> Misbehaviour:
    """Reject a body as a whole if it ``is_bad``."""
    return lambda call, _: refusal(status) if is_bad(call.items) else None


@contextmanager
def standing_in(clock: Clock | None = None, address: str = "127.0.0.1") -> Iterator[StandIn]:
    """A running stand-in at ``address``, as written in a URL."""
    stand_in = StandIn(clock, address)
    thread = threading.Thread(target=stand_in.serve)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.close()
        thread.join()
