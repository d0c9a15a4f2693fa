"""Pings both sides of every link, and ends links that do not answer.

Only pings detect that a viewer lost their network or that a game host froze: the TCP connection stays open. One task
serves all links, because two timers for each would cost more than the messages.
"""

import asyncio
import logging
import os
from asyncio import get_running_loop
from collections.abc import Collection
from math import inf

from payments.edge.gateway.ending import EndCause, Ending
from payments.edge.gateway.link import Link

log = logging.getLogger(__name__)

_SILENT_INTERVALS = 8 / 3
"""A side is gone after being silent for so many ping intervals: 40 s by default."""

_FRESH_INTERVALS = 5 / 4
"""A side that is alive has answered the last ping within so many intervals, plus the time to the next check."""

_CHECKS = 16
_MAX_CHECK_S = 1.0
_GROUP = 25
_AHEAD_S = 1.5
"""Lead of a ping before a heartbeat; less if heartbeats are frequent."""


class Liveness:
    """Checks all links.

    Attributes:
        own_ping: payload of its pings. Pings of viewers and game hosts are passed on, not answered here.
        fresh_s: a side that is alive gives a sign of life at least this often.
    """

    def __init__(self, ping_s: float, heartbeat_interval_s: float) -> None:
        """``ping_s``, ``heartbeat_interval_s``: seconds between pings, and between heartbeats of a session."""
        self.own_ping = b"ps-gateway " + os.urandom(8)
        self._ping_s = ping_s
        self._silent_s = ping_s * _SILENT_INTERVALS
        self.fresh_s = ping_s * _FRESH_INTERVALS + _MAX_CHECK_S
        self._check_s = min(_MAX_CHECK_S, ping_s / _CHECKS, heartbeat_interval_s / _CHECKS)
        self._beat_s = heartbeat_interval_s
        # A heartbeat claims time up to the last sign of life, so get one just before it.
        self._ahead_s = min(_AHEAD_S, heartbeat_interval_s * 0.4)

    def expect(self, link: Link, first_heartbeat_s: float) -> None:
        """Schedule the pings of a new link, whose session's first heartbeat is due in ``first_heartbeat_s``."""
        now_s = get_running_loop().time()
        link.next_ping_s = now_s + self._ping_s
        link.heartbeat_ping_s = now_s + first_heartbeat_s - self._ahead_s

    async def run(self, links: Collection[Link]) -> None:
        """Check ``links``, which may change meanwhile, for ever, in small groups so that messages are not delayed."""
        clock = get_running_loop().time
        while True:
            all_links = list(links)
            groups = [all_links[first : first + _GROUP] for first in range(0, len(all_links), _GROUP)] or [[]]
            for group in groups:
                if await self._sleep_was_long(self._check_s / len(groups)):
                    for link in links:
                        link.viewer.reset_silence()
                        link.upstream.reset_silence()
                for link in group:
                    await self._guarded(link, clock())

    async def _sleep_was_long(self, seconds: float) -> bool:
        """Sleep. Returns whether that took much longer, because this machine was suspended or overloaded.

        Sides are not silent while the gateway does not listen.
        """
        clock = get_running_loop().time
        due_s = clock() + seconds
        await asyncio.sleep(seconds)
        return clock() - due_s > self._ping_s / 3

    async def _guarded(self, link: Link, now_s: float) -> None:
        try:
            await self._check(link, now_s)
        except Exception:
            # A bug that one viewer triggers must not stop the checks of all others.
            log.exception("PAY-E09 a defect in the gateway")

    async def _check(self, link: Link, now_s: float) -> None:
        if link.has_ended:
            # No ping may follow a close frame.
            return
        both = (link.viewer, link.upstream)
        for side in both:
            side.check_progress()
        for side, other in (both, both[::-1]):
            if side.silent_s(other, self._silent_s) > self._silent_s:
                link.finish(Ending(side.name, EndCause.SILENT))
                return
        asked_s, link.asked_s = link.asked_s, None
        if asked_s is not None:
            link.heartbeat_ping_s = asked_s + self._beat_s - self._ahead_s
        if now_s >= min(link.next_ping_s, link.heartbeat_ping_s):
            link.next_ping_s = now_s + self._ping_s
            if now_s >= link.heartbeat_ping_s:
                link.heartbeat_ping_s = inf
            await link.viewer.ping(self.own_ping)
            await link.upstream.ping(self.own_ping)
