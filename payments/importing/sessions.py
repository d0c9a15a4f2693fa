"""Which sessions and power states continue here.

A session continues from the moment up to which it is billed there. A start dated at that moment opens it here, which
bills nothing (rule 4.5); its next event bills from there, so no moment is billed twice. Not taken over: sessions that
have ended, which are settled there; sessions silent for long; and sessions whose host belongs to someone else here.
"""

from typing import NamedTuple

from payments.domain.commands import Command
from payments.domain.readings import UNKNOWN, Reading
from payments.domain.sessions import START, SessionEvent
from payments.domain.times import format_time
from payments.importing.livepeer_ops import POWER, SESSIONS, LastReading, LivepeerOps, OpenSession, printable
from payments.importing.orchestrators import Orchestrators
from payments.importing.report import HERE, LEFT, NOTE, TAKEN, Item
from payments.settings import Settings
from payments.store import Store

EVENT_ID = "livepeer-ops:open-session"


class Continuation(NamedTuple):
    """Commands to record, items to show, and problems that stop the import."""

    commands: list[Command]
    items: list[Item]
    problems: list[str]


def plan_sessions(
    found: LivepeerOps, orchestrators: Orchestrators, store: Store, settings: Settings, now_ms: int
) -> Continuation:
    """Plan what to do with the sessions of ``found``."""
    planned = Continuation([], [], [])
    for session in found.open_sessions.values():
        last_ms = max(session.billed_until_ms, session.seen_at_ms)
        if last_ms > now_ms:
            where = f"{found.folder / SESSIONS}, record {printable(session.session_id)}"
            planned.problems.append(f"{where}: {_in_the_future(last_ms, now_ms)}")
            continue
        why_not = _reason_to_leave(session, orchestrators, settings, now_ms)
        if store.session(session.session_id) is not None:
            planned.items.append(_item(session, HERE, "left as it is", now_ms))
        elif why_not is not None:
            planned.items.append(_item(session, LEFT, why_not, now_ms))
        else:
            planned.commands.append(_opening_event(session, settings))
            planned.items.append(_item(session, TAKEN, _continuation_detail(session, settings, now_ms), now_ms))
    if found.ended:
        detail = f"{found.ended} ended: settled there, and left there"
        planned.items.append(Item(SESSIONS, "", LEFT, detail, {"count": found.ended}))
    if planned.commands:
        planned.items.extend(Item(SESSIONS, "", NOTE, detail) for detail in _billing_notes(settings))
    return planned


def plan_power(
    found: LivepeerOps, orchestrators: Orchestrators, store: Store, settings: Settings, now_ms: int
) -> Continuation:
    """Plan what to do with the power states of ``found``.

    The last reading there becomes the first reading here, which earns nothing; time after it is metered here.
    """
    planned = Continuation([], [], [])
    known = {power.orchestrator_id for power in store.powers()}
    for orchestrator_id, reading in found.power.items():
        facts = {"state": reading.state, "read_at": format_time(reading.read_at_ms)}
        if reading.read_at_ms > now_ms:
            where = f"{found.folder / POWER}, record {printable(orchestrator_id)}"
            planned.problems.append(f"{where}: {_in_the_future(reading.read_at_ms, now_ms)}")
            continue
        if orchestrator_id in known:
            action, detail = HERE, "metered here"
        elif (why_not := _not_metered(orchestrator_id, reading, orchestrators, settings, now_ms)) is not None:
            action, detail = LEFT, f"{why_not}; metering begins with its first reading here"
        else:
            action, detail = TAKEN, f"{reading.state}; metered here from {format_time(reading.read_at_ms)} on"
            why_unknown = "read by livepeer-ops" if reading.state == UNKNOWN else None
            planned.commands.append(Reading(orchestrator_id, reading.state, reading.read_at_ms, why_unknown))
        planned.items.append(Item("power", orchestrator_id, action, detail, facts))
    return planned


def _in_the_future(moment_ms: int, now_ms: int) -> str:
    return f"{format_time(moment_ms)} is later than now ({format_time(now_ms)}): one of the two clocks is wrong"


def _reason_to_leave(session: OpenSession, orchestrators: Orchestrators, settings: Settings, now_ms: int) -> str | None:
    longest_ms = _longest_silence_ms(settings)
    if now_ms - session.seen_at_ms > longest_ms:
        return (
            f"silent since {format_time(session.seen_at_ms)}: after {longest_ms // 1000} s it is over here "
            f"(PAYMENTS_SESSION_REAP_SECONDS, PAYMENTS_SESSION_RETENTION_HOURS)"
        )
    owner_here, owner_there = orchestrators.attribution.get(session.upstream_addr), session.orchestrator_id
    if owner_here != owner_there:
        return (
            f"host {session.upstream_addr} is {owner_here or 'nobody'}'s here and was {owner_there or 'nobody'}'s "
            f"there; it begins here with its next event, and the time since {format_time(session.billed_until_ms)} is "
            "not credited"
        )
    return None


def _longest_silence_ms(settings: Settings) -> int:
    """After longer silence the worker would close the session, or may have purged it after an earlier import."""
    return min(settings.session_reap_s or settings.session_keep_s, settings.session_keep_s) * 1000


def _opening_event(session: OpenSession, settings: Settings) -> SessionEvent:
    # Received when the session was last seen, but early enough for its occurred_at to be credited in full.
    believed_until_ms = session.billed_until_ms + settings.session_max_event_age_s * 1000
    return SessionEvent(
        session.session_id,
        START,
        max(session.billed_until_ms, min(session.seen_at_ms, believed_until_ms)),
        session.upstream_addr,
        session.upstream_port,
        session.edge_id,
        session.streamer_id,
        EVENT_ID,
        occurred_at_ms=session.billed_until_ms,
    )


def _continuation_detail(session: OpenSession, settings: Settings, now_ms: int) -> str:
    detail = f"goes on from {format_time(session.billed_until_ms)}"
    max_gap_s = settings.session_max_gap_s
    if max_gap_s and now_ms - session.billed_until_ms > max_gap_s * 1000:
        detail += (
            "; longer ago than PAYMENTS_SESSION_MAX_GAP_SECONDS: its next event will find a gap and not credit that "
            "time, unless that is set higher until then"
        )
    return detail


def _billing_notes(settings: Settings) -> list[str]:
    notes = []
    if not settings.session_rate_wei_per_minute:
        notes.append("PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE is 0: what goes on earns nothing here")
    if settings.session_require_awake:
        notes.append("PAYMENTS_SESSION_REQUIRE_AWAKE is set: time before the first awake reading here is not credited")
    return notes


def _item(session: OpenSession, action: str, detail: str, now_ms: int) -> Item:
    facts = {
        "orchestrator_id": session.orchestrator_id,
        "upstream_addr": session.upstream_addr,
        "billed_until": format_time(session.billed_until_ms),
        "last_seen_at": format_time(session.seen_at_ms),
        "not_billed_there_ms": now_ms - session.billed_until_ms,
    }
    return Item("session", session.session_id, action, detail, facts)


def _not_metered(
    orchestrator_id: str, reading: LastReading, orchestrators: Orchestrators, settings: Settings, now_ms: int
) -> str | None:
    if not settings.power_meter_enabled:
        return "PAYMENTS_POWER_METER_ENABLED is not set"
    if orchestrator_id not in orchestrators.enabled:
        return "it has no enabled record here"
    if now_ms - reading.read_at_ms > settings.power_max_gap_s * 1000:
        return f"read at {format_time(reading.read_at_ms)}, longer ago than PAYMENTS_POWER_MAX_GAP_SECONDS"
    return None
