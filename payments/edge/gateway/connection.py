"""One of a link's two WebSockets: to the viewer, or to the game host.

aiohttp answers close frames and illegal frames by itself, at once. These sockets do not: the link answers, because the
answer depends on the other side. permessage-deflate is not offered: signalling is a few short messages, and a
compressor would cost 250 KB for each viewer.
"""

import asyncio
from asyncio import get_running_loop
from contextlib import suppress
from typing import Any

from aiohttp import ClientResponse, ClientWebSocketResponse, WSMsgType, web

from payments.domain.addresses import canonical_ip
from payments.edge.gateway.ending import CloseFrame
from payments.endpoints import Endpoint

CLOSE_S = 5.0
"""Time limit for a peer to answer a close frame, and to read what was sent before."""

_LINGER_S = 2.0
_POLL_S = 0.05
_LOW_WATER_BYTES = 16 * 1024
"""Up to this size of its buffer, a transport of asyncio does not block writers."""

_ON_THE_WAY = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class ViewerSocket(web.WebSocketResponse[Any]):
    """The WebSocket to a viewer. It never closes itself."""

    def __init__(self, protocol: str | None, max_message_bytes: int) -> None:
        """``protocol``: the subprotocol that the game host chose. aiohttp rejects messages that reach its maximum."""
        super().__init__(
            protocols=() if protocol is None else (protocol,), autoclose=False, autoping=False, compress=False,
            max_msg_size=max_message_bytes + 1, writer_limit=64 * 1024, decode_text=False,
        )  # fmt: skip
        if protocol is not None:
            # aiohttp only looks at the first line of offers.
            self.headers["Sec-WebSocket-Protocol"] = protocol

    async def close(self, **_: Any) -> bool:
        return False


class UpstreamSocket(ClientWebSocketResponse[Any]):
    """The WebSocket to a game host. It never closes itself. ``transport``: its TCP connection."""

    def __init__(
        self, reader: Any, writer: Any, protocol: str | None, response: ClientResponse, *more: Any, **named: Any
    ) -> None:
        super().__init__(reader, writer, protocol, response, *more, **named)
        self.transport: asyncio.Transport = writer.transport
        self.response = response

    async def close(self, **_: Any) -> bool:
        return False


class Connection:
    """A WebSocket, and signs of life of its peer. Times are by the event loop's clock.

    Attributes:
        name: ``viewer`` or ``upstream``.
        ws: the WebSocket.
        transport: its TCP connection.
        last_heard_s: when something was last received.
        written_bytes: size of all messages sent so far.
    """

    __slots__ = (
        "_accepted_bytes",
        "_ping_task",
        "_progress_s",
        "_silence_reset_s",
        "_was_backed_up",
        "last_heard_s",
        "name",
        "transport",
        "written_bytes",
        "ws",
    )  # fmt: skip

    def __init__(self, name: str, ws: ViewerSocket | UpstreamSocket, transport: asyncio.Transport) -> None:
        self.name = name
        self.ws = ws
        self.transport = transport
        self.last_heard_s = self._silence_reset_s = self._progress_s = get_running_loop().time()
        self.written_bytes = self._accepted_bytes = 0
        self._was_backed_up = False
        self._ping_task: asyncio.Task[None] | None = None

    @property
    def peer(self) -> Endpoint | None:
        """Address of the peer; ``None``: already disconnected."""
        name = self.transport.get_extra_info("peername")
        return Endpoint(canonical_ip(name[0].partition("%")[0]), name[1]) if name else None

    @property
    def is_backed_up(self) -> bool:
        """Whether sent messages may be waiting for the peer to read."""
        return self.transport.get_write_buffer_size() > _LOW_WATER_BYTES

    @property
    def silent_since_s(self) -> float:
        """Start of the peer's silence: its last sign of life, or the last time when it could not be heard."""
        return max(self.last_heard_s, self._silence_reset_s)

    def reset_silence(self) -> None:
        """Count silence from now on only."""
        self._silence_reset_s = get_running_loop().time()

    def check_progress(self) -> None:
        """Count progress of a backed-up connection as a sign of life: a slow peer's pong may be far behind.

        Progress proves nothing unless the connection was backed up: this machine's own buffers take data even if the
        peer is gone.
        """
        accepted_bytes = self.written_bytes - self.transport.get_write_buffer_size()
        if self._was_backed_up and accepted_bytes > self._accepted_bytes:
            self.reset_silence()
        if accepted_bytes > self._accepted_bytes or not self.is_backed_up:
            self._progress_s = get_running_loop().time()
        self._accepted_bytes = accepted_bytes
        self._was_backed_up = self.is_backed_up

    def silent_s(self, other: "Connection", max_wait_s: float) -> float:
        """How long the peer has been silent although it could be heard.

        While ``other`` is backed up, this side's messages are not read. That excuses its silence, unless ``other`` has
        made no progress for ``max_wait_s``.
        """
        now_s = get_running_loop().time()
        if other.is_backed_up and now_s - other._progress_s <= max_wait_s:
            self.reset_silence()
        return now_s - self.silent_since_s

    async def ping(self, payload: bytes) -> None:
        """Send a ping, without waiting for the pong or for space in the buffer."""
        if self.transport.is_closing():
            return
        if not self.is_backed_up:
            await self._ping(payload)
        elif self._ping_task is None or self._ping_task.done():
            self._ping_task = asyncio.create_task(self._ping(payload))

    async def close(self, frame: CloseFrame, *, is_answer: bool = False) -> None:
        """Send ``frame``, wait for the peer's close frame unless this ``is_answer``, and hang up within ``CLOSE_S``."""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                await self.ws.send_frame(frame.payload, WSMsgType.CLOSE)
                while not is_answer and (await self.ws.receive()).type in _ON_THE_WAY:
                    pass
        self.hang_up()

    async def reject(self, frame: CloseFrame) -> None:
        """Close after the peer broke the protocol, so that it can still read ``frame``.

        Closing a connection with unread data resets it, which may lose what was sent last.
        """
        with suppress(TimeoutError, ConnectionError, OSError):
            async with asyncio.timeout(_LINGER_S):
                await self.ws.send_frame(frame.payload, WSMsgType.CLOSE)
                self.transport.resume_reading()
                self.transport.write_eof()
                while not self.transport.is_closing():
                    await asyncio.sleep(_POLL_S)
        self.hang_up()

    def hang_up(self, *, at_once: bool = False) -> None:
        """Close the connection once all is sent, after ``CLOSE_S`` at the latest; or ``at_once``."""
        if self._ping_task is not None:
            self._ping_task.cancel()
        if at_once:
            self.transport.abort()
        else:
            self.transport.close()
            get_running_loop().call_later(CLOSE_S, self.transport.abort)
        if isinstance(self.ws, UpstreamSocket):
            self.ws.response.close()

    async def _ping(self, payload: bytes) -> None:
        with suppress(ConnectionError):
            await self.ws.ping(payload)
