"""A viewer and their game host: passes messages both ways, in order and unchanged, until one of them leaves.

Each message is sent before the next is read, and sending blocks while the receiver is slow. So a slow receiver slows
the sender, and buffers stay below some megabytes.
"""

import asyncio
import logging
from asyncio import get_running_loop
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSMsgType

from payments.clock import now_ms
from payments.edge.gateway.connection import CLOSE_S, Connection
from payments.edge.gateway.ending import (
    FAILED,
    GATEWAY,
    GOING_AWAY,
    UPSTREAM,
    VIEWER,
    CloseFrame,
    EndCause,
    Ending,
    ended_by,
)
from payments.edge.gateway.metrics import Meters, Traffic
from payments.edge.gateway.subscribe import subscribed_streamer
from payments.edge.reporter import ReportedSession

log = logging.getLogger(__name__)

_TURN = 64
"""Number of messages after which other links have their turn: messages already received are read without a pause."""


class Link:
    """Connections to a viewer and to their game host, and the session reported for them.

    Attributes:
        viewer, upstream: its connections.
        next_ping_s: when both are pinged next, by the loop's clock.
        heartbeat_ping_s: when they are pinged before the next heartbeat; infinite: not known.
        asked_s: when the reporter last called ``last_seen_ms``; ``None``: not since the last check.
    """

    def __init__(
        self, viewer: Connection, upstream: Connection, own_ping: bytes, fresh_s: float, meters: Meters
    ) -> None:
        """``own_ping``: payload of the gateway's own pings, whose pongs are not passed on.

        ``fresh_s``: a side that was silent for longer has left a ping unanswered.
        """
        self.viewer = viewer
        self.upstream = upstream
        self.next_ping_s = self.heartbeat_ping_s = 0.0
        self.asked_s: float | None = None
        self._own_ping = own_ping
        self._fresh_s = fresh_s
        self._meters = meters
        self._loop = get_running_loop()
        self._ended: asyncio.Future[Ending] = self._loop.create_future()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended and only closes its connections."""
        return self._ended.done()

    def last_seen_ms(self) -> int:
        """When both sides were last known to be there, milliseconds since the epoch. Runs in the reporter's thread."""
        self.asked_s = self._loop.time()
        return self._last_seen_ms()

    def finish(self, ending: Ending) -> None:
        """End the link, unless it has ended."""
        if not self._ended.done():
            self._ended.set_result(ending)

    async def run(self, session: ReportedSession) -> Ending:
        """Pass messages until the link ends, then close both connections."""
        tasks = [
            asyncio.create_task(
                self._guarded(self._forward(self.viewer, self.upstream, self._meters.to_upstream, session))
            ),
            asyncio.create_task(self._guarded(self._forward(self.upstream, self.viewer, self._meters.to_viewer, None))),
        ]
        try:
            ending = await self._ended
            session.end(self._ended_ms(ending))
        finally:
            session.end()
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks)
        await asyncio.gather(*(self._close(ending, each) for each in (self.viewer, self.upstream)))
        return ending

    def _ended_ms(self, ending: Ending) -> int | None:
        """When the session ended, milliseconds since the epoch; ``None``: now.

        When one side leaves, the other may have been gone for a while, unnoticed. That time must not be billed.
        """
        silent_since_s = min(self.viewer.silent_since_s, self.upstream.silent_since_s)
        is_fresh = self._loop.time() - silent_since_s <= self._fresh_s
        return None if is_fresh and ending.how is not EndCause.SILENT else self._last_seen_ms()

    def _last_seen_ms(self) -> int:
        last_heard_s = min(self.viewer.last_heard_s, self.upstream.last_heard_s)
        return now_ms() - max(0, round((self._loop.time() - last_heard_s) * 1000))

    async def _guarded(self, forwarding: Coroutine[Any, Any, None]) -> None:
        try:
            await forwarding
        except Exception:
            # After a bug, close the viewer's connection instead of leaving it hanging.
            log.exception("PAY-E09 a defect in the gateway")
            self.finish(Ending(GATEWAY, EndCause.DEFECT, FAILED))

    async def _forward(
        self, source: Connection, sink: Connection, traffic: Traffic, session: ReportedSession | None
    ) -> None:
        """Pass messages from ``source`` to ``sink``. ``session`` learns the streamer that the viewer subscribes to."""
        receive, send, clock = source.ws.receive, sink.ws.send_frame, self._loop.time
        turn = 0
        while True:
            turn += 1
            if turn % _TURN == 0:
                await asyncio.sleep(0)
            kind, data, _ = message = await receive()
            source.last_heard_s = clock()
            if kind is WSMsgType.TEXT:
                if not data.isascii() and not _is_utf8(data):
                    self.finish(Ending(source.name, EndCause.ILLEGAL, CloseFrame(1007, "not UTF-8")))
                    return
                if session is not None and (streamer_id := subscribed_streamer(data)) is not None:
                    session.set_streamer(streamer_id)
            elif kind is WSMsgType.PONG:
                if data == self._own_ping:
                    continue
            elif kind is not WSMsgType.BINARY and kind is not WSMsgType.PING:
                self.finish(ended_by(source.name, message))
                return
            traffic.messages += 1
            traffic.bytes += len(data)
            sink.written_bytes += len(data)
            try:
                await send(data, kind)
            except ConnectionError:
                # The sink may have sent a close frame before; give the other direction time to read it.
                await asyncio.sleep(CLOSE_S)
                self.finish(Ending(sink.name, EndCause.ABORTED))
                return

    async def _close(self, ending: Ending, connection: Connection) -> None:
        """Close ``connection`` in the way that tells its peer how the link ended, as far as possible."""
        is_by_peer = connection.name == ending.by
        match ending.how:
            case EndCause.CLOSED:
                await connection.close(
                    CloseFrame(ending.frame.code) if is_by_peer else ending.frame, is_answer=is_by_peer
                )
            case EndCause.ABORTED:
                connection.hang_up()
            case EndCause.SILENT if is_by_peer:
                connection.hang_up(at_once=True)
            case EndCause.ILLEGAL if is_by_peer:
                await connection.reject(ending.frame)
            case EndCause.STOPPED | EndCause.DEFECT if connection.name == VIEWER:
                await connection.close(ending.frame)
            case _:
                await connection.close(GOING_AWAY if connection.name == UPSTREAM else FAILED)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
