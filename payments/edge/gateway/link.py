"""A viewer and his game host: each is sent what the other one says, in order and to the byte, until one of them leaves.

A message is sent on before the next one is taken, and sending waits while the other side takes nothing: a slow reader
slows the sender, and what is under way is bounded, to some megabytes at worst.
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
"""After so many messages others have their turn: those that have come already would be passed on without a pause."""


class Link:
    """Both sides, and the session that is reported of them.

    Attributes:
        viewer, upstream: its connections.
        next_ping_s: when both are pinged next, by the loop's clock.
        heartbeat_ping_s: when they are pinged before the next heartbeat; infinite: not known.
        asked_s: when the reporter last called ``last_seen_ms``; ``None``: not since the last check.
    """

    def __init__(
        self, viewer: Connection, upstream: Connection, own_ping: bytes, fresh_s: float, meters: Meters
    ) -> None:
        """Pongs that answer ``own_ping`` are the gateway's own affair.

        Whoever has given no sign of life for ``fresh_s`` has left a ping unanswered.
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
        """Whether both sides are only being seen off."""
        return self._ended.done()

    def last_seen_ms(self) -> int:
        """Until when both are known to have been there. Called in the reporter's thread."""
        self.asked_s = self._loop.time()
        return self._last_seen_ms()

    def finish(self, ending: Ending) -> None:
        """End it, if it has not ended yet."""
        if not self._ended.done():
            self._ended.set_result(ending)

    async def run(self, session: ReportedSession) -> Ending:
        """Pass on until the end, and see both sides off."""
        pumps = [
            asyncio.create_task(
                self._guarded(self._pump(self.viewer, self.upstream, self._meters.to_upstream, session))
            ),
            asyncio.create_task(self._guarded(self._pump(self.upstream, self.viewer, self._meters.to_viewer, None))),
        ]
        try:
            ending = await self._ended
            session.end(self._ended_ms(ending))
        finally:
            session.end()
            for pump in pumps:
                pump.cancel()
        await asyncio.wait(pumps)
        await asyncio.gather(*(self._close(ending, side) for side in (self.viewer, self.upstream)))
        return ending

    def _ended_ms(self, ending: Ending) -> int | None:
        """Since when one of them is gone; ``None``: since now.

        Where one leaves, the other one may be long gone, and not found out yet: no time is claimed for that.
        """
        silent_since_s = min(self.viewer.silent_since_s, self.upstream.silent_since_s)
        is_fresh = self._loop.time() - silent_since_s <= self._fresh_s
        return None if is_fresh and ending.how is not EndCause.SILENT else self._last_seen_ms()

    def _last_seen_ms(self) -> int:
        last_heard_s = min(self.viewer.last_heard_s, self.upstream.last_heard_s)
        return now_ms() - max(0, round((self._loop.time() - last_heard_s) * 1000))

    async def _guarded(self, pump: Coroutine[Any, Any, None]) -> None:
        try:
            await pump
        except Exception:
            # A defect of ours that one viewer brings about must not leave him hanging.
            log.exception("PAY-E09 a defect in the gateway")
            self.finish(Ending(GATEWAY, EndCause.DEFECT, FAILED))

    async def _pump(
        self, source: Connection, sink: Connection, traffic: Traffic, session: ReportedSession | None
    ) -> None:
        """Send to ``sink`` what ``source`` says; ``session``: is told which streamer it subscribes to."""
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
                # How it has ended, perhaps by a close before, the other pump finds out, unless it is held up.
                await asyncio.sleep(CLOSE_S)
                self.finish(Ending(sink.name, EndCause.ABORTED))
                return

    async def _close(self, ending: Ending, side: Connection) -> None:
        """Let ``side`` know how it has ended, as far as it can be told."""
        is_his = side.name == ending.by
        match ending.how:
            case EndCause.CLOSED:
                await side.close(CloseFrame(ending.frame.code) if is_his else ending.frame, is_answer=is_his)
            case EndCause.ABORTED:
                side.hang_up()
            case EndCause.SILENT if is_his:
                side.hang_up(at_once=True)
            case EndCause.ILLEGAL if is_his:
                await side.reject(ending.frame)
            case EndCause.STOPPED | EndCause.DEFECT if side.name == VIEWER:
                await side.close(ending.frame)
            case _:
                await side.close(GOING_AWAY if side.name == UPSTREAM else FAILED)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
