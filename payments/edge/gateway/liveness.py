"""Asks both sides of every link for signs of life, and ends the links of those that give none.

Nothing else finds out that a viewer's machine has lost its network, or that a game host has frozen: their connections
stay as they are. One task looks after all links, for two timers each would cost more than the messages.
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

_SILENT_PINGS = 8 / 3
"""Silent for so many times as long as from ping to ping, and a side is gone: 40 s by default."""

_FRESH_PINGS = 5 / 4
"""Within so many times as long, and the time until a look, whoever is there has answered the last ping."""

_LOOKS = 16
_LONGEST_LOOK_S = 1.0
_SHARE = 25
_AHEAD_S = 1.5
"""How long before a heartbeat a ping is sent, or at the next look; with short heartbeats less."""


class Liveness:
    """Of all links.

    Attributes:
        own_ping: what its pings say; others pass through, and are not answered here.
        fresh_s: within so many seconds of the last one, whoever is there has given another sign of life.
    """

    def __init__(self, ping_s: float, heartbeat_interval_s: float) -> None:
        """Seconds from ping to ping, and from heartbeat to heartbeat."""
        self.own_ping = b"ps-gateway " + os.urandom(8)
        self._ping_s = ping_s
        self._silent_s = ping_s * _SILENT_PINGS
        self.fresh_s = ping_s * _FRESH_PINGS + _LONGEST_LOOK_S
        self._look_s = min(_LONGEST_LOOK_S, ping_s / _LOOKS, heartbeat_interval_s / _LOOKS)
        self._beat_s = heartbeat_interval_s
        # A heartbeat claims what is known: an answer that came just before it makes that nearly all.
        self._ahead_s = min(_AHEAD_S, heartbeat_interval_s * 0.4)

    def expect(self, link: Link, first_heartbeat_s: float) -> None:
        """``link`` begins now; the first heartbeat of its session is due in so many seconds."""
        now_s = get_running_loop().time()
        link.next_ping_s = now_s + self._ping_s
        link.heartbeat_ping_s = now_s + first_heartbeat_s - self._ahead_s

    async def run(self, links: Collection[Link]) -> None:
        """For ever, those that are in ``links`` at the time; some at a time, for all at once would hold up messages."""
        clock = get_running_loop().time
        while True:
            all_links = list(links)
            shares = [all_links[first : first + _SHARE] for first in range(0, len(all_links), _SHARE)] or [[]]
            for share in shares:
                if await self._oversleep(self._look_s / len(shares)):
                    for link in links:
                        link.viewer.reset_silence()
                        link.upstream.reset_silence()
                for link in share:
                    await self._guarded(link, clock())

    async def _oversleep(self, seconds: float) -> bool:
        """Wait; whether that took much longer, for this machine slept or was overloaded.

        Whoever was not listened to for so long has not been silent.
        """
        clock = get_running_loop().time
        due_s = clock() + seconds
        await asyncio.sleep(seconds)
        return clock() - due_s > self._ping_s / 3

    async def _guarded(self, link: Link, now_s: float) -> None:
        try:
            await self._look(link, now_s)
        except Exception:
            # A defect of ours that one viewer brings about must not end the care for all others.
            log.exception("PAY-E09 a defect in the gateway")

    async def _look(self, link: Link, now_s: float) -> None:
        if link.has_ended:
            # Nothing may be said behind a close.
            return
        both = (link.viewer, link.upstream)
        for side in both:
            side.look()
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
