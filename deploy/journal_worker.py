"""gunicorn's threaded worker, with a way of its own for events: alone they come thousands of times a second.

An event is answered when its entry is on disk, and several are written and synced at once. In ``gthread`` every one of
them has a thread wait for that: of 680 µs that an event cost there, 240 went into changing threads. Here the thread
that waits for clients begins such a call itself, goes on with the next, and sends the answer when the application says
that there is one. So an event that waits, for a disk or a lock, keeps nobody else waiting either.

All other calls, and requests that have not arrived as a whole, are gunicorn's business as ever.

Nothing of Payments may be imported here: what the master imports, a reload would go on with.
"""

import errno
import re
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from gunicorn.http import wsgi
from gunicorn.workers.gthread import TConn, ThreadWorker

ANSWERABLE, WITHIN = "payments.answerable", "payments.answer_within_s"
"""In the environ of a call: what the application may call, in any thread, as soon as it need not wait for the answer
any more; and what it then sets before it returns: in how many seconds at most it will answer in any case."""

_BEGIN = (b"POST /api/sessions/events ", b"POST /api/sessions/events/batch ")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,5})\r\n", re.IGNORECASE)
_MOST_BYTES = 32768
_IDLE_S = 1.0
_PATIENCE_S = 5.0
_NOTIFY_EACH_S = 0.5


def _future(result: bool) -> "Future[bool]":
    future: Future[bool] = Future()
    future.set_result(result)
    return future


_KEPT, _ENDED = _future(True), _future(False)


class JournalWorker(ThreadWorker):
    """``gthread``; but a request that brings events, and is here as a whole, is handled without a thread of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._calls: dict[TConn, _Call] = {}
        self._answerable: deque[_Call] = deque()
        self._is_woken = False
        self._notify_s = 0.0
        self._room_checked: bool | None = None
        # What is encrypted, or HTTP/2, does not arrive as it is read here.
        self._is_plain = not self.cfg.is_ssl and self.cfg.http_protocols == ["h1"]

    @property
    def max_keepalived(self) -> int:
        """How many idle connections there may be before one that is answered is closed: gunicorn asks, each time."""
        return 0 if self._lacks_room() else self.worker_connections

    @max_keepalived.setter
    def max_keepalived(self, _: int) -> None:
        """gunicorn's own figure is a third of all: it would close those who report all the time."""

    def accept(self, listener: Any) -> None:
        """Take a new connection. Whoever says nothing on it occupies no thread."""
        try:
            sock, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        conn = _Connection(self.cfg, sock, address, listener.getsockname(), self.tpool)
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        self.poller.register(sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))

    def on_client_socket_readable(self, conn: TConn, client: Any) -> None:
        call = self._calls.get(conn)
        if call is not None:
            # It says more, or hangs up, before it has its answer. That is looked at afterwards.
            self.poller.unregister(client)
            call.is_watched = False
        elif conn not in self.keepalived_conns:
            # The poller spoke of it together with its answer, and behind that it was ended, or went to a thread.
            return
        elif self._is_plain and conn.has_events():
            self.keepalived_conns.remove(conn)
            self._begin(conn)
        else:
            super().on_client_socket_readable(conn, client)

    def notify(self) -> None:
        """Say that this worker is alive; gunicorn asks for it whenever anything happened, and wants it in seconds."""
        if (now_s := time.monotonic()) >= self._notify_s:
            self._notify_s = now_s + _NOTIFY_EACH_S
            super().notify()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        self._room_checked = None
        super().wait_for_and_dispatch_events(timeout)
        now_s = time.monotonic()
        # The oldest comes first.
        while self._calls and (call := next(iter(self._calls.values()))).due_s <= now_s:
            self._answer(call)
        if self.alive and self.keepalived_conns and self._lacks_room():
            longest = self.keepalived_conns[0]
            if now_s - (longest.timeout - self.cfg.keepalive) > _IDLE_S:
                # gunicorn closes next whoever has been idle for too long.
                longest.timeout = now_s

    def _begin(self, conn: TConn) -> None:
        call = self._calls[conn] = _Call(conn)
        try:
            call.request = next(conn.parser)
            self.cfg.pre_request(self, call.request)
            call.response, call.environ = wsgi.create(call.request, call, conn.client, conn.server, self.cfg)
            call.environ.update({"wsgi.multithread": True, ANSWERABLE: partial(self._note, call)})
            self._count()
            call.parts = self.wsgi(call.environ, call.response.start_response)
        except Exception as error:
            self._give_up(call, error)
        else:
            if call.response.status is not None:
                self._answer(call)
            else:
                call.due_s = time.monotonic() + call.environ.get(WITHIN, 0.0)

    def _count(self) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False

    def _note(self, call: "_Call") -> None:
        """``call`` can be answered. In any thread, and once for all that can be by the time that this one looks."""
        self._answerable.append(call)
        if not self._is_woken:
            self._is_woken = True
            self.method_queue.defer(self._answer_all)

    def _answer_all(self) -> None:
        self._is_woken = False
        while self._answerable:
            call = self._answerable.popleft()
            if self._calls.get(call.conn) is call:
                self._answer(call)

    def _answer(self, call: "_Call") -> None:
        if not self.alive or not self.max_keepalived:
            call.response.force_close()
        try:
            unsent = call.write_answer(self)
            stays = not call.response.should_close()
            call.conn.forget_body()
        except Exception as error:
            self._give_up(call, error)
        else:
            self._end(call, stays, unsent)

    def _give_up(self, call: "_Call", error: Exception) -> None:
        # One who is gone, or does not read his answers, is not told.
        if not isinstance(error, OSError | StopIteration):
            self.handle_error(call.request, call.conn.sock, call.conn.client, error)
        self._end(call, stays=False)

    def _end(self, call: "_Call", stays: bool, unsent: bytes = b"") -> None:
        conn = call.conn
        del self._calls[conn]
        if not unsent and stays and call.is_watched and self.alive and not conn.has_read_ahead():
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            return
        if call.is_watched:
            self.poller.unregister(conn.sock)
        if unsent:
            # A thread waits for one that does not take all of its answer at once.
            sent = self.tpool.submit(conn.send_on, unsent, stays)
            sent.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))
        else:
            self.finish_request(conn, _KEPT if stays else _ENDED)

    def _lacks_room(self) -> bool:
        """Whether there is no place for another connection, and somebody waits for one."""
        if self.nr_conns < self.worker_connections:
            return False
        if self._room_checked is None:
            self._room_checked = bool(select.select(self.sockets, (), (), 0)[0])
        return self._room_checked


class _Connection(TConn):
    """A client's, which never keeps the thread that waits for all of them."""

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any, pool: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self._pool = pool

    def has_events(self) -> bool:
        """Whether its next request brings events, and is here as a whole. What there is, is read, and kept."""
        if not self.initialized:
            self.init()
            self.sock.setblocking(False)
        unreader = self.parser.unreader
        data = unreader.take_buffered()
        # What is wrong with it, whoever reads on finds out.
        with suppress(OSError):
            data += self.sock.recv(_MOST_BYTES)
        unreader.unread(data)
        if not data.startswith(_BEGIN):
            return False
        end = data.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(data, 0, end)
        return length is not None and len(data) >= end + int(length[1])

    def forget_body(self) -> None:
        """Read what is left of a body that is here as a whole; gunicorn would set the socket's timeout for that."""
        self.parser.mesg.body.read()
        self.parser.mesg = None

    def has_read_ahead(self) -> bool:
        """Whether more was read of it than its last request."""
        return bool(self.parser.unreader.buf.getvalue())

    def send_on(self, data: bytes, stays: bool) -> bool:
        """``stays``, once ``data`` is sent. ``OSError``: the client has stopped taking it."""
        self.sock.settimeout(_PATIENCE_S)
        rest = memoryview(data)
        # Not sendall: that must be done in that time, however steadily the client takes it.
        while rest:
            rest = rest[self.sock.send(rest) :]
        return stays

    def close(self, graceful: bool = False) -> None:
        if graceful:
            # At once, for the client may be about to ask for more; to wait for it to close its side takes seconds.
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
            self._pool.submit(super().close, True)
        else:
            super().close()


class _Call:
    """A request that was begun; to gunicorn it is the socket that the answer is written to.

    Attributes:
        is_watched: whether the poller looks after its connection.
        due_s: when it is answered at the latest.
    """

    __slots__ = ("_begun_s", "_written", "conn", "due_s", "environ", "is_watched", "parts", "request", "response")

    def __init__(self, conn: TConn) -> None:
        self.conn = conn
        self.is_watched = True
        self.request: Any = None
        self.response: Any = None
        self.environ: dict[str, Any] = {}
        self.parts: Iterable[bytes] = ()
        self.due_s = 0.0
        self._begun_s = time.monotonic()
        self._written: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._written.append(data)

    send: Callable[[bytes], None] = sendall

    def write_answer(self, worker: ThreadWorker) -> bytes:
        """Ask the application for the answer, send it, and return what the client has no room for yet.

        ``OSError``: it takes nothing.
        """
        try:
            for part in self.parts:
                self.response.write(part)
            self.response.close()
            answer = b"".join(self._written)
            return answer[self.conn.sock.send(answer) :]
        finally:
            seconds = timedelta(seconds=time.monotonic() - self._begun_s)
            worker.log.access(self.response, self.request, self.environ, seconds)
            if hasattr(self.parts, "close"):
                self.parts.close()
            worker.cfg.post_request(worker, self.request, self.environ, self.response)
