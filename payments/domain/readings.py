"""``Reading``, one answer of an orchestrator's ``/power``, and ``PowerState``, which the readings fold into."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from msgspec import Struct

from payments.domain.sessions import ASLEEP, GAP, UNPRICED
from payments.domain.units import Moment, Remainder, Wei, one_of

AWAKE, UNKNOWN = "awake", "unknown"

FIRST_READING, CLOCK = "first_reading", "clock"
"""Causes for crediting nothing that only readings have. ``gap``, ``asleep`` and ``unpriced`` are those of sessions."""
_CAUSES = (CLOCK, GAP, UNKNOWN, ASLEEP, UNPRICED)


class Reading(NamedTuple):
    """One observation of an orchestrator's ``/power``.

    Attributes:
        state: ``awake``, another word that the host answered, or ``unknown``: no answer, or not a valid one.
        read_at_ms: when the answer came, or the attempt was given up.
        detail: why it is unknown; ``None`` if the host answered.
    """

    orchestrator_id: str
    state: str
    read_at_ms: int
    detail: str | None = None


class PowerState(Struct, frozen=True, gc=False):
    """The power of one orchestrator, as its readings have made it.

    Attributes:
        orchestrator_id: the id in the registry.
        state: of the last reading: ``awake``, another word that the host answered, or ``unknown``.
        detail: why it is unknown, or ``None``.
        read_at_ms: when the last reading was made.
        since_ms: when the first of the latest readings in a row with this ``state`` was made.
        awake_from_ms: begin of the last uninterrupted stretch of time that awake readings cover. A reading covers the
            time until the next one, but no longer than the maximum gap.
        awake_until_ms: end of that stretch; equal to its begin before the first awake reading.
        metered_from_ms: when the first reading was made.
        metered_to_ms: the latest ``read_at_ms`` of any reading. Every millisecond up to here is in ``billed_ms`` or
            ``unbilled_ms``, and is never billed again even if the clock steps back.
        billed_wei: what power has earned.
        remainder: the fraction of a wei earned beyond that, in wei/60000.
        last_credited_wei: what the last reading that credited anything credited.
        no_credit: why the last reading credited nothing; ``None`` if it credited.
        unbilled_ms: milliseconds that earned nothing, by cause; a cause without any is left out.
    """

    orchestrator_id: str
    state: str
    detail: str | None
    read_at_ms: Moment
    since_ms: Moment
    awake_from_ms: Moment
    awake_until_ms: Moment
    metered_from_ms: Moment
    metered_to_ms: Moment
    billed_ms: int
    billed_wei: Wei
    remainder: Remainder
    last_credited_wei: Wei
    no_credit: Annotated[str, one_of(FIRST_READING, *_CAUSES)] | None
    unbilled_ms: Mapping[Annotated[str, one_of(*_CAUSES)], int]

    def awake_ms(self, from_ms: int, to_ms: int) -> int:
        """How many milliseconds between ``from_ms`` and ``to_ms`` the last stretch of awake readings covers."""
        return max(0, min(to_ms, self.awake_until_ms) - max(from_ms, self.awake_from_ms))
