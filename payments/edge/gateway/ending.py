"""How a link comes to its end: what a close may say, and what the last that came from a side means. Pure."""

from enum import StrEnum
from typing import NamedTuple

from aiohttp import WebSocketError, WSMessage, WSMsgType

VIEWER, UPSTREAM, GATEWAY = "viewer", "upstream", "gateway"

_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
"""Of those below 3000 the ones that a close may say (RFC 6455, section 7.4, and IANA's registry)."""


class EndCause(StrEnum):
    """In which way: a close came, or the end of the connection without one; nothing came for too long; something came
    that is not allowed; the gateway was told to stop, or has a defect.
    """

    CLOSED = "closed"
    ABORTED = "aborted"
    SILENT = "silent"
    ILLEGAL = "illegal"
    STOPPED = "stopped"
    DEFECT = "defect"


class CloseFrame(NamedTuple):
    """What a close says; ``code`` 0: nothing."""

    code: int = 0
    reason: str = ""

    @property
    def payload(self) -> bytes:
        return self.code.to_bytes(2, "big") + self.reason.encode() if self.code else b""


GOING_AWAY, FAILED, RESTART = CloseFrame(1001), CloseFrame(1011), CloseFrame(1012)
"""The gateway itself tells no viewer ``GOING_AWAY``: after that code alone, Epic's page does not connect again."""


class Ending(NamedTuple):
    """Whose doing it was (``VIEWER``, ``UPSTREAM`` or ``GATEWAY``), in which way, and what he said, or is told."""

    by: str
    how: EndCause
    frame: CloseFrame = CloseFrame()


ENDINGS = (
    *(
        (by, how)
        for by in (VIEWER, UPSTREAM)
        for how in (EndCause.CLOSED, EndCause.ABORTED, EndCause.SILENT, EndCause.ILLEGAL)
    ),
    *((GATEWAY, how) for how in (EndCause.STOPPED, EndCause.DEFECT)),
)
"""All that there are."""


def ended_by(by: str, last: WSMessage) -> Ending:
    """How ``by`` has ended it, whose last message was no text, nor anything else to be passed on."""
    if last.type is WSMsgType.CLOSE:
        code = int(last.data)
        if code and code not in _CLOSE_CODES and not 3000 <= code < 5000:
            return Ending(by, EndCause.ILLEGAL, CloseFrame(1002, "no such close code"))
        return Ending(by, EndCause.CLOSED, CloseFrame(code, last.extra or ""))
    if last.type is WSMsgType.ERROR and isinstance(last.data, WebSocketError):
        return Ending(by, EndCause.ILLEGAL, CloseFrame(last.data.code))
    return Ending(by, EndCause.ABORTED)
