"""One of a viewer's two WebSockets: that of the viewer, or that to the game host.

aiohttp answers a close, or an illegal frame, by itself and at once. Here neither socket does: what is to be said to one
side follows from what the other one has said, so the link says it. permessage-deflate is offered to neither: what
passes is signalling, a few short messages, and a compressor would cost each viewer a quarter of a megabyte.
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
"""How long a side may take to answer a close, and to take what was sent before."""

_LINGER_S = 2.0
_LOOK_S = 0.05
_LOW_WATER_BYTES = 16 * 1024
"""With this little in its buffer, a transport of asyncio does not hold up whoever writes."""

_ON_THE_WAY = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


class ViewerSocket(web.WebSocketResponse[Any]):
    """The server's end of a WebSocket that never closes itself."""

    def __init__(self, protocol: str | None, max_message_bytes: int) -> None:
        """``protocol``: the subprotocol that the game host chose. aiohttp rejects messages that reach its maximum."""
        super().__init__(
            protocols=() if protocol is None else (protocol,), autoclose=False, autoping=False, compress=False,
            max_msg_size=max_message_bytes + 1, writer_limit=64 * 1024, decode_text=False,
        )  # fmt: skip
        if protocol is not None:
            # aiohttp looks for it in the first line of offers only.
            self.headers["Sec-WebSocket-Protocol"] = protocol

    async def close(self, **_: Any) -> bool:
        return False


class UpstreamSocket(ClientWebSocketResponse[Any]):
    """The client's end of a WebSocket that never closes itself. ``transport``: the connection beneath."""

    def __init__(
        self, reader: Any, writer: Any, protocol: str | None, response: ClientResponse, *more: Any, **named: Any
    ) -> None:
        super().__init__(reader, writer, protocol, response, *more, **named)
        self.transport: asyncio.Transport = writer.transport
        self.response = response

    async def close(self, **_: Any) -> bool:
        return False


class Connection:
    """A socket, and what is known of who is at its other end.

    Attributes:
        name: ``viewer`` or ``upstream``; ``ws``: the socket, ``transport`` the connection beneath.
        last_heard_s: when something last came from there, by the loop's clock.
        written_bytes: of all messages so far.
    """

    __slots__ = (
        "_accepted_bytes", "_progress_s", "_silence_reset_s", "_task", "_was_backed_up", "last_heard_s", "name",
        "transport", "written_bytes", "ws",
    )  # fmt: skip

    def __init__(self, name: str, ws: ViewerSocket | UpstreamSocket, transport: asyncio.Transport) -> None:
        self.name = name
        self.ws = ws
        self.transport = transport
        self.last_heard_s = self._silence_reset_s = self._progress_s = get_running_loop().time()
        self.written_bytes = self._accepted_bytes = 0
        self._was_backed_up = False
        self._task: asyncio.Task[None] | None = None

    @property
    def peer(self) -> Endpoint | None:
        """Whom it is connected to; ``None`` where the connection is gone already."""
        name = self.transport.get_extra_info("peername")
        return Endpoint(canonical_ip(name[0].partition("%")[0]), name[1]) if name else None

    @property
    def is_backed_up(self) -> bool:
        """Whether what was sent there may be held up."""
        return self.transport.get_write_buffer_size() > _LOW_WATER_BYTES

    @property
    def silent_since_s(self) -> float:
        """Until when it is known to have been there, or could not be heard through no fault of its own."""
        return max(self.last_heard_s, self._silence_reset_s)

    def reset_silence(self) -> None:
        """Do not hold its silence until now against it."""
        self._silence_reset_s = get_running_loop().time()

    def look(self) -> None:
        """Notice whether it takes what is sent: who does so is alive, though the answer to a ping be far behind.

        Only of what was held up is that known. Whatever finds room goes to this machine's own buffers, also where
        nobody takes it from there any more.
        """
        accepted_bytes = self.written_bytes - self.transport.get_write_buffer_size()
        if self._was_backed_up and accepted_bytes > self._accepted_bytes:
            self.reset_silence()
        if accepted_bytes > self._accepted_bytes or not self.is_backed_up:
            self._progress_s = get_running_loop().time()
        self._accepted_bytes = accepted_bytes
        self._was_backed_up = self.is_backed_up

    def silent_s(self, other: "Connection", patience_s: float) -> float:
        """For how long it has given no sign of life, although it could.

        While ``other`` is backed up, what comes from here waits unread; for ``patience_s`` that is the other's fault.
        """
        now_s = get_running_loop().time()
        if other.is_backed_up and now_s - other._progress_s <= patience_s:
            self.reset_silence()
        return now_s - self.silent_since_s

    async def ping(self, payload: bytes) -> None:
        """Ask for a sign of life; does not wait for it, nor for room to ask in."""
        if self.transport.is_closing():
            return
        if not self.is_backed_up:
            await self._ping(payload)
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ping(payload))

    async def close(self, frame: CloseFrame, *, is_answer: bool = False) -> None:
        """Say that it is over, wait for the answer unless this is one, and hang up. Takes ``CLOSE_S`` at most."""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                await self.ws.send_frame(frame.payload, WSMsgType.CLOSE)
                while not is_answer and (await self.ws.receive()).type in _ON_THE_WAY:
                    pass
        self.hang_up()

    async def reject(self, frame: CloseFrame) -> None:
        """Close with one who has said what is not allowed, and let him find out why.

        A connection that is closed while something unread has come is reset, and what was sent last may be lost.
        """
        with suppress(TimeoutError, ConnectionError, OSError):
            async with asyncio.timeout(_LINGER_S):
                await self.ws.send_frame(frame.payload, WSMsgType.CLOSE)
                self.transport.resume_reading()
                self.transport.write_eof()
                while not self.transport.is_closing():
                    await asyncio.sleep(_LOOK_S)
        self.hang_up()

    def hang_up(self, *, at_once: bool = False) -> None:
        """Close the connection when all is sent, and after ``CLOSE_S`` at the latest; or at once."""
        if self._task is not None:
            self._task.cancel()
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
