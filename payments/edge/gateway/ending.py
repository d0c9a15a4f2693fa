"""How a link ends, and which close codes are allowed. Pure."""

from enum import StrEnum
from typing import NamedTuple

from aiohttp import WebSocketError, WSMessage, WSMsgType

VIEWER, UPSTREAM, GATEWAY = "viewer", "upstream", "gateway"

_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
"""Codes below 3000 that a close frame may have (RFC 6455, section 7.4, and IANA's registry)."""


class EndCause(StrEnum):
    """Why a link ended.

    Attributes:
        CLOSED: by a close frame.
        ABORTED: the connection was cut without one.
        SILENT: nothing was received for too long.
        ILLEGAL: by a message that the protocol forbids.
        STOPPED: the gateway was told to stop.
        DEFECT: by a bug in the gateway.
    """

    CLOSED = "closed"
    ABORTED = "aborted"
    SILENT = "silent"
    ILLEGAL = "illegal"
    STOPPED = "stopped"
    DEFECT = "defect"


class CloseFrame(NamedTuple):
    """Contents of a close frame. ``code`` 0: empty."""

    code: int = 0
    reason: str = ""

    @property
    def payload(self) -> bytes:
        return self.code.to_bytes(2, "big") + self.reason.encode() if self.code else b""


GOING_AWAY, FAILED, RESTART = CloseFrame(1001), CloseFrame(1011), CloseFrame(1012)
"""Viewers never get ``GOING_AWAY`` from the gateway itself: it is the only code after which Epic's page does not
reconnect."""


class Ending(NamedTuple):
    """How a link ended.

    Attributes:
        by: who ended it: ``VIEWER``, ``UPSTREAM`` or ``GATEWAY``.
        how: why.
        frame: the close frame that ``by`` sent; if ``by`` broke the protocol, the one sent to it; if ``GATEWAY``, the
            one sent to the viewer.
    """

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
"""All combinations of ``Ending.by`` and ``Ending.how``."""


def ended_by(by: str, last: WSMessage) -> Ending:
    """How ``by`` ended the link with ``last``, a message that is not passed on."""
    if last.type is WSMsgType.CLOSE:
        code = int(last.data)
        if code and code not in _CLOSE_CODES and not 3000 <= code < 5000:
            return Ending(by, EndCause.ILLEGAL, CloseFrame(1002, "no such close code"))
        return Ending(by, EndCause.CLOSED, CloseFrame(code, last.extra or ""))
    if last.type is WSMsgType.ERROR and isinstance(last.data, WebSocketError):
        return Ending(by, EndCause.ILLEGAL, CloseFrame(last.data.code))
    return Ending(by, EndCause.ABORTED)
