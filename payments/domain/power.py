"""Decides what a reading of an orchestrator's power becomes: rules 6.1 to 6.3."""

from msgspec.structs import replace

from payments.domain.accounts import add_by_cause
from payments.domain.decisions import DUPLICATE, RECORDED, Decision, Outcome, Terms
from payments.domain.entries import CREDIT, JSON, POWER, POWER_READ, POWER_TIME, Entry
from payments.domain.money import accrue, format_eth
from payments.domain.readings import AWAKE, CLOCK, FIRST_READING, UNKNOWN, PowerState, Reading
from payments.domain.sessions import ASLEEP, GAP, UNPRICED
from payments.domain.state import State
from payments.domain.times import format_time


def decide_reading(reading: Reading, state: State, terms: Terms, now_ms: int) -> Decision:
    """Decide ``reading`` against the power state and the balance of its orchestrator. ``now_ms`` dates the entry.

    It accounts for the time since the latest reading before it. That time is never billed again, whether by a second
    worker, after a restart, or after the clock steps back. Every reading becomes an entry, so gaps between readings
    show in the journal.
    """
    known = state.power.get(reading.orchestrator_id)
    if known is not None and (known.read_at_ms, known.state) == (reading.read_at_ms, reading.state):
        return Decision(Outcome(DUPLICATE, known), ())
    before = known or _before_first_reading(reading)
    length_ms = max(0, reading.read_at_ms - before.metered_to_ms)
    no_credit = _no_credit_reason(reading, before, length_ms, terms) if known else FIRST_READING
    billed_ms = 0 if no_credit else length_ms
    credit_wei, remainder = accrue(terms.power_rate_wei_per_minute, billed_ms, before.remainder)
    awake_from_ms, awake_until_ms = _awake_stretch(reading, before, terms.power_max_gap_ms)
    after = replace(
        before,
        state=reading.state,
        detail=reading.detail,
        read_at_ms=reading.read_at_ms,
        since_ms=before.since_ms if before.state == reading.state else reading.read_at_ms,
        awake_from_ms=awake_from_ms,
        awake_until_ms=awake_until_ms,
        metered_to_ms=before.metered_to_ms + length_ms,
        billed_ms=before.billed_ms + billed_ms,
        billed_wei=before.billed_wei + credit_wei,
        remainder=remainder,
        last_credited_wei=credit_wei if billed_ms else before.last_credited_wei,
        no_credit=no_credit,
        unbilled_ms=add_by_cause(before.unbilled_ms, {no_credit: length_ms} if no_credit and length_ms else {}),
    )
    metadata = _metadata(before, after, billed_ms)
    seq, earner = state.seq + 1, reading.orchestrator_id
    if no_credit:
        entry = Entry(seq, now_ms, POWER, POWER_READ, earner, None, None, metadata, None, after)
    else:
        metadata["rate_eth_per_minute"] = format_eth(terms.power_rate_wei_per_minute)
        metadata["credit_unit"] = terms.credit_unit
        balance_wei = state.balance_wei(earner) + credit_wei
        entry = Entry(seq, now_ms, CREDIT, POWER_TIME, earner, credit_wei, balance_wei, metadata, None, after)
    return Decision(Outcome(RECORDED, after), (entry,))


def _before_first_reading(reading: Reading) -> PowerState:
    """The power state of an orchestrator before its first reading."""
    at_ms = reading.read_at_ms
    return PowerState(reading.orchestrator_id, reading.state, None, at_ms, at_ms, at_ms, at_ms, at_ms, at_ms,
        billed_ms=0, billed_wei=0, remainder=0, last_credited_wei=0, no_credit=None, unbilled_ms={},
    )  # fmt: skip


def _no_credit_reason(reading: Reading, before: PowerState, length_ms: int, terms: Terms) -> str | None:
    """Why the time up to ``reading`` earns nothing (rules 6.2 and 6.3); ``None``: it earns (rule 6.1)."""
    if reading.read_at_ms <= before.read_at_ms or not length_ms:
        return CLOCK
    if reading.read_at_ms - before.read_at_ms > terms.power_max_gap_ms:
        return GAP
    if UNKNOWN in (before.state, reading.state):
        return UNKNOWN
    if before.state != AWAKE or reading.state != AWAKE:
        return ASLEEP
    return None if terms.power_rate_wei_per_minute else UNPRICED


def _awake_stretch(reading: Reading, before: PowerState, max_gap_ms: int) -> tuple[int, int]:
    """Begin and end of the last stretch of time that awake readings cover, now including ``reading``."""
    read_at_ms = reading.read_at_ms
    if reading.state != AWAKE:
        return before.awake_from_ms, min(before.awake_until_ms, read_at_ms)
    goes_on = before.state == AWAKE and before.awake_from_ms <= read_at_ms <= before.awake_until_ms
    return before.awake_from_ms if goes_on else read_at_ms, read_at_ms + max_gap_ms


def _metadata(before: PowerState, after: PowerState, billed_ms: int) -> dict[str, JSON]:
    """The metadata of an entry: the reading, its interval, and why the interval earned nothing."""
    metadata: dict[str, JSON] = {
        "state": after.state,
        "read_at": format_time(after.read_at_ms),
        "delta_ms": billed_ms,
        "interval_start": format_time(before.metered_to_ms),
        "interval_end": format_time(after.metered_to_ms),
    }
    if after.no_credit is not None:
        metadata["no_credit"] = after.no_credit
    if after.detail is not None:
        metadata["detail"] = after.detail
    return metadata
