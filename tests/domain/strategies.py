"""Any record at all, for property tests: more than the rules would ever make."""

from hypothesis import strategies as st

from payments.domain.entries import Entry
from payments.domain.readings import PowerState
from payments.domain.sessions import EVENTS, Session

MOMENTS_MS = st.integers(0, 253_402_300_799_999)
DURATIONS_MS = st.integers(0, 10**15)
AMOUNTS_WEI = st.integers(0, 10**40)
TEXT = st.text(st.characters(codec="utf-8"), max_size=128)
COUNTS = st.integers(0, 2**63 - 1)
CAUSES = ["gap", "expired", "unattributed", "unpriced", "asleep"]

SESSIONS = st.builds(
    Session,
    session_id=TEXT,
    incarnation=COUNTS,
    opened_seq=COUNTS,
    orchestrator_id=st.none() | TEXT,
    upstream_addr=st.ip_addresses().map(str),
    upstream_port=st.none() | st.integers(1, 65535),
    edge_id=st.none() | TEXT,
    streamer_id=st.none() | TEXT,
    status=st.sampled_from(["active", "ended"]),
    started_at_ms=MOMENTS_MS,
    last_seen_at_ms=MOMENTS_MS,
    last_event=st.sampled_from(EVENTS),
    last_billed_at_ms=MOMENTS_MS,
    ended_at_ms=st.none() | MOMENTS_MS,
    end_reason=st.sampled_from([None, "end", "timeout"]),
    billed_ms=DURATIONS_MS,
    billed_wei=AMOUNTS_WEI,
    remainder=st.integers(0, 59_999),
    last_credited_wei=AMOUNTS_WEI,
    unbilled_ms=st.dictionaries(st.sampled_from(CAUSES), DURATIONS_MS),
    heartbeat_count=COUNTS,
    last_seq=st.none() | COUNTS,
    event_id=st.none() | TEXT,
    event_digest=st.none() | TEXT,
)

POWER_STATES = st.builds(
    PowerState,
    orchestrator_id=TEXT,
    state=TEXT,
    detail=st.none() | TEXT,
    read_at_ms=MOMENTS_MS,
    since_ms=MOMENTS_MS,
    awake_from_ms=MOMENTS_MS,
    awake_until_ms=MOMENTS_MS,
    metered_from_ms=MOMENTS_MS,
    metered_to_ms=MOMENTS_MS,
    billed_ms=DURATIONS_MS,
    billed_wei=AMOUNTS_WEI,
    remainder=st.integers(0, 59_999),
    last_credited_wei=AMOUNTS_WEI,
    no_credit=st.none() | TEXT,
    unbilled_ms=st.dictionaries(st.sampled_from([*CAUSES, "unknown"]), DURATIONS_MS),
)

MONEY = st.integers(-(10**40), 10**40)
METADATA = st.dictionaries(TEXT, st.none() | COUNTS | TEXT | st.dictionaries(TEXT, COUNTS, max_size=3), max_size=5)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry, of money or not, about a session, an orchestrator's power, or neither."""
    moves_money = draw(st.booleans())
    return Entry(
        seq=draw(COUNTS),
        timestamp_ms=draw(MOMENTS_MS),
        event=draw(TEXT),
        reason=draw(TEXT),
        orchestrator_id=draw(st.none() | TEXT),
        delta_wei=draw(MONEY) if moves_money else None,
        balance_wei=draw(MONEY) if moves_money else None,
        metadata=draw(METADATA),
        session=draw(st.none() | SESSIONS),
        power=draw(st.none() | POWER_STATES),
    )
