"""What an orchestrator's ``/power`` was found to say (``Reading``) and what its readings fold into (``PowerState``)."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from msgspec import Struct

from payments.domain.sessions import ASLEEP, GAP, UNPRICED
from payments.domain.units import Moment, Remainder, Wei, one_of

AWAKE, UNKNOWN = "awake", "unknown"

FIRST_READING, CLOCK = "first_reading", "clock"
"""Why a reading credits nothing, besides what sessions have too: ``gap``, ``asleep``, ``unpriced``; and ``unknown``."""
_CAUSES = (CLOCK, GAP, UNKNOWN, ASLEEP, UNPRICED)


class Reading(NamedTuple):
    """One observation of an orchestrator's ``/power``.

    Attributes:
        state: ``awake``, another word of the host's, or ``unknown``: no answer, or none that could be understood.
        read_at_ms: when the answer came, or was given up.
        detail: why it is unknown; ``None`` where the host said it.
    """

    orchestrator_id: str
    state: str
    read_at_ms: int
    detail: str | None = None


class PowerState(Struct, frozen=True, gc=False):
    """The power of one orchestrator, as its readings have made it.

    Attributes:
        orchestrator_id: the id in the registry.
        state: of the last reading, as are ``detail`` and ``read_at_ms``: ``awake``, another word of the host's, or
            ``unknown``.
        detail: why it is unknown.
        since_ms: the first of the readings in a row that said so.
        awake_from_ms: the last stretch of time that awake readings cover, without a hole, to ``awake_until_ms``: each
            covers what follows it, until the next one, and no longer than the maximum gap. Empty before the first.
        metered_from_ms: the first reading.
        metered_to_ms: the latest moment that any reading was made at; up to here every millisecond is in ``billed_ms``
            or ``unbilled_ms``, and is never billed again, wherever the clock goes.
        billed_wei: what power has earned.
        remainder: what was earned below one wei, in wei/60000.
        last_credited_wei: what the last reading that credited anything did.
        no_credit: why the last reading credited nothing; ``None`` where it did.
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
        """How many milliseconds between two moments the last stretch of awake readings covers."""
        return max(0, min(to_ms, self.awake_until_ms) - max(from_ms, self.awake_from_ms))
