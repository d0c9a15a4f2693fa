"""Hand-made WebSockets: the test decides every byte, for messages that no library would send."""

import base64
import hashlib
import os
import socket
import struct
import time
from typing import NamedTuple, Self

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_PATIENCE_S = 20
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class RawFrame(NamedTuple):
    """``first``: its first byte, which holds FIN, the reserved bits and the opcode."""

    first: int
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.first & 0xF


class RawPeer:
    """One end of a connection."""

    def __init__(self, connection: socket.socket, *, is_viewer: bool) -> None:
        self.socket = connection
        self._is_viewer = is_viewer
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reset()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def say(self, opcode: int, payload: bytes = b"", *, first: int | None = None) -> None:
        """Send a frame; its first byte ``first`` decides whether it is final."""
        self.send(frame(0x80 | opcode if first is None else first, payload, is_masked=self._is_viewer))

    def close(self, code: int | None = None, reason: bytes = b"") -> None:
        self.say(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)

    def hear(self) -> RawFrame | None:
        """The next frame; ``None``: the connection ended, cleanly or not."""
        try:
            first, second = self.take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self.take(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self.take(8))
            mask = self.take(4) if second & 0x80 else b""
            payload = self.take(length)
        except (EOFError, ConnectionError):
            return None
        return RawFrame(first, _masked(payload, mask) if mask else payload)

    def hear_of(self, *opcodes: int) -> RawFrame | None:
        """The next frame with one of these opcodes; skips others. Fails if none comes soon."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while (heard := self.hear()) is not None and heard.opcode not in opcodes:
            assert time.monotonic() < deadline_s, heard
        return heard

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises ``EOFError`` if the connection ends before."""
        while len(self._read) < count:
            piece = self.socket.recv(max(65536, count - len(self._read)))
            if not piece:
                raise EOFError
            self._read += piece
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def read_head(self) -> str:
        """The head of an HTTP message."""
        while b"\r\n\r\n" not in self._read:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(self._read)
            self._read += piece
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        return head.decode("latin-1") + "\r\n"

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        try:
            while piece := self.socket.recv(65536):
                self._read += piece
        except ConnectionError:
            pass
        read, self._read = self._read, b""
        return read

    def reset(self) -> None:
        """Reset the connection, unless it is closed."""
        if self.socket.fileno() < 0:
            return
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def connected(port: int, receive_bytes: int | None = None) -> RawPeer:
    """A new connection to ``port``."""
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(20)
    try:
        connection.connect(("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return RawPeer(connection, is_viewer=True)


def asking(path: str = "/", **headers: str) -> bytes:
    """The head of a request for a WebSocket."""
    said = {
        "Host": "gateway", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13", **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    return f"GET {path} HTTP/1.1\r\n{_lines(said)}\r\n".encode()


def viewing(port: int, path: str = "/", receive_bytes: int | None = None, **headers: str) -> RawPeer:
    """A connected viewer."""
    peer = connected(port, receive_bytes)
    peer.send(asking(path, **headers))
    head = peer.read_head()
    assert head.startswith("HTTP/1.1 101 "), head
    return peer


def accepted(head: str, **headers: str) -> bytes:
    """The answer that accepts the WebSocket of the request ``head``."""
    key = header(head, "Sec-WebSocket-Key")
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    said = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": base64.b64encode(digest).decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    return f"HTTP/1.1 101 Switching Protocols\r\n{_lines(said)}\r\n".encode()


def header(head: str, name: str) -> str | None:
    """The header ``name`` in ``head``; several lines are joined by commas."""
    lines = [line.partition(":") for line in head.split("\r\n")[1:]]
    said = [value.strip() for key, _, value in lines if key.lower() == name.lower()]
    return ", ".join(said) if said else None


def frame(first: int, payload: bytes, *, is_masked: bool) -> bytes:
    """The bytes of a frame."""
    length = len(payload)
    bit = 0x80 if is_masked else 0
    if length < 126:
        head = struct.pack(">BB", first, bit | length)
    elif length < 65536:
        head = struct.pack(">BBH", first, bit | 126, length)
    else:
        head = struct.pack(">BBQ", first, bit | 127, length)
    if not is_masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _masked(payload, mask)


def _lines(said: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in said.items())


def _masked(payload: bytes, mask: bytes) -> bytes:
    repeated = mask * (len(payload) // 4 + 1)
    whole = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[: len(payload)], "big")
    return whole.to_bytes(len(payload), "big")
