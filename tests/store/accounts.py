"""Invariants of entries and of their state, for any reports; computed from the entries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from payments.domain.entries import CREDIT, SESSION_FORGOTTEN, Entry
from payments.domain.money import MS_PER_MINUTE, parse_eth
from payments.domain.readings import AWAKE
from payments.domain.sessions import ACTIVE, END, ENDED, HEARTBEAT, START, Session, SessionEvent
from payments.domain.state import State, evolve
from payments.domain.times import read_time
from tests.harness import TERMS


def check_accounts(entries: Sequence[Entry], state: State) -> None:
    """Check ``entries``, oldest first, against each other and against ``state``. Raises ``AssertionError``."""
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    check_fold(entries, state)
    check_balances(entries, state)
    for session in state.sessions.values():
        assert session.billed_ms + sum(session.unbilled_ms.values()) == session.elapsed_ms, session
    by_session = sorted((entry for entry in entries if entry.session is not None), key=_session_id)
    for _, told in groupby(by_session, _session_id):
        history = list(told)
        check_paid(history)
        for life in _lives(history):
            check_intervals(life)
            for _, lived in groupby(life, lambda entry: entry.metadata["incarnation"]):
                check_incarnation(list(lived))
    by_power = sorted((entry for entry in entries if entry.power is not None), key=_orchestrator_id)
    for _, readings in groupby(by_power, _orchestrator_id):
        check_meter(list(readings))


def check_fold(entries: Iterable[Entry], state: State) -> None:
    """The entries fold into ``state``, with its sessions in the order of opening."""
    folded = State()
    for entry in entries:
        evolve(folded, entry)
    assert list(state.sessions.items()) == list(folded.sessions.items())
    assert (state.balances, state.power, state.seq) == (folded.balances, folded.power, folded.seq)


def check_balances(entries: Iterable[Entry], state: State) -> None:
    """Each balance is the sum of its entries' deltas, and each entry has the sum up to itself."""
    owed_wei: dict[str, int] = {}
    for entry in entries:
        if entry.orchestrator_id is not None and entry.delta_wei is not None:
            owed_wei[entry.orchestrator_id] = owed_wei.get(entry.orchestrator_id, 0) + entry.delta_wei
            assert entry.balance_wei == owed_wei[entry.orchestrator_id], entry
    assert {name: balance.balance_wei for name, balance in state.balances.items()} == owed_wei


def check_paid(history: Sequence[Entry]) -> None:
    """No moment of a session is paid twice, even if it was purged and restarted in between."""
    paid = sorted(
        (_interval(entry)[0] + _causes(entry).get("expired", 0), _interval(entry)[1])
        for entry in history
        if entry.event == CREDIT
    )
    for (_, end_ms), (start_ms, _) in pairwise(paid):
        assert end_ms <= start_ms, history


def check_intervals(history: Sequence[Entry]) -> None:
    """The intervals of a session, over all incarnations until it is purged, are contiguous."""
    for (_, end_ms), (start_ms, _) in pairwise(_interval(entry) for entry in history):
        assert end_ms <= start_ms, history
    for before, after in pairwise(history):
        if before.metadata["incarnation"] == after.metadata["incarnation"]:
            assert _interval(before)[1] == _interval(after)[0], (before, after)


def check_incarnation(lived: Sequence[Entry]) -> None:
    """A session's credits are rate times time, rounded down once; its record is the sum of its entries."""
    session = lived[-1].session
    assert session is not None
    paid = [entry for entry in lived if entry.event == CREDIT]
    earned = sum(_rate_wei(entry) * _whole(entry, "delta_ms") for entry in paid)
    assert sum(entry.delta_wei or 0 for entry in paid) == earned // MS_PER_MINUTE == session.billed_wei
    assert sum(_whole(entry, "delta_ms") for entry in lived) == session.billed_ms
    unbilled_ms: dict[str, int] = {}
    for entry in lived:
        start_ms, end_ms = _interval(entry)
        causes = _causes(entry)
        assert _whole(entry, "delta_ms") + sum(causes.values()) == end_ms - start_ms, entry
        for cause, length_ms in causes.items():
            unbilled_ms[cause] = unbilled_ms.get(cause, 0) + length_ms
    assert session.unbilled_ms == unbilled_ms
    assert session.started_at_ms == _interval(lived[0])[0]


def check_meter(readings: Sequence[Entry]) -> None:
    """Time is metered once, and paid between two awake readings in a row; the state is the sum of the entries."""
    power = readings[-1].power
    assert power is not None
    earned, unbilled_ms = 0, dict[str, int]()
    for before, after in pairwise(readings):
        (_, metered_ms), (start_ms, end_ms) = _interval(before), _interval(after)
        assert metered_ms == start_ms <= end_ms, (before, after)
        if after.event == CREDIT:
            assert before.metadata["state"] == after.metadata["state"] == AWAKE, (before, after)
            assert 0 < _read_at_ms(after) - _read_at_ms(before) <= TERMS.power_max_gap_ms, (before, after)
            assert _read_at_ms(before) <= start_ms, (before, after)
            assert (end_ms, _whole(after, "delta_ms")) == (_read_at_ms(after), end_ms - start_ms), after
            earned += _rate_wei(after) * _whole(after, "delta_ms")
        elif start_ms < end_ms:
            cause = str(after.metadata["no_credit"])
            unbilled_ms[cause] = unbilled_ms.get(cause, 0) + end_ms - start_ms
    assert sum(entry.delta_wei or 0 for entry in readings) == earned // MS_PER_MINUTE == power.billed_wei
    assert sum(_whole(entry, "delta_ms") for entry in readings) == power.billed_ms
    assert power.unbilled_ms == unbilled_ms
    assert (power.metered_from_ms, power.metered_to_ms) == (_interval(readings[0])[0], _interval(readings[-1])[1])
    assert power.billed_ms + sum(unbilled_ms.values()) == power.metered_to_ms - power.metered_from_ms


def check_answer(
    before: Session | None,
    said: SessionEvent,
    session: Session,
    attribution: Mapping[str, str],
    *,
    keep_ms: int,
    covered_ms: int | None = None,
) -> None:
    """``session`` follows from ``before`` and the recorded event ``said``: time moves up to its evidence, never back.

    ``keep_ms``: how long a session is kept at least; an unknown one may have been purged, and then begins later.
    ``covered_ms``: how much of that time awake readings cover; ``None``: does not matter.
    """
    evidence_ms = said.received_at_ms
    if said.occurred_at_ms is not None and said.occurred_at_ms < evidence_ms:
        evidence_ms = said.occurred_at_ms
    earliest_ms = before.last_billed_at_ms if before else said.received_at_ms - keep_ms
    assert session.last_billed_at_ms == max(evidence_ms, earliest_ms)
    reopens = before is not None and before.status == ENDED and said.event == START
    assert session.incarnation == (before.incarnation if before else 1) + reopens
    if before is None or reopens:
        assert session.started_at_ms == session.last_billed_at_ms
        assert (session.billed_ms, session.unbilled_ms) == (0, {})
    else:
        grown = {cause for cause, ms in session.unbilled_ms.items() if ms > before.unbilled_ms.get(cause, 0)}
        assert "unattributed" not in grown or before.orchestrator_id is None
        assert session.billed_ms == before.billed_ms or before.orchestrator_id is not None
        assert "asleep" not in grown or covered_ms is not None
        assert covered_ms is None or session.billed_ms - before.billed_ms <= covered_ms
    assert session.orchestrator_id == attribution.get(session.upstream_addr)
    assert (session.status, session.last_event) == (ENDED if said.event == END else ACTIVE, said.event)


def expected_kind(before: Session | None, said: SessionEvent) -> str:
    """Kind of the answer to ``said`` by rules 4.5 to 4.7 and 4.10."""
    if before is None:
        return "recorded" if said.upstream_addr is not None else "invalid"
    if said.event_id is not None and said.event_id == before.event_id:
        return "duplicate" if said.digest() == before.event_digest else "conflict"
    is_closed = before.end_reason == END
    if is_closed and said.event == END:
        return "duplicate"
    is_overtaken = said.seq is not None and before.seq is not None and said.seq <= before.seq
    if is_overtaken or (is_closed and said.event == HEARTBEAT):
        return "late"
    return "recorded"


def _lives(history: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries of one session, split after each purge."""
    life: list[Entry] = []
    for entry in history:
        life.append(entry)
        if entry.reason == SESSION_FORGOTTEN:
            yield life
            life = []
    if life:
        yield life


def _session_id(entry: Entry) -> str:
    return str(entry.metadata["session_id"])


def _orchestrator_id(entry: Entry) -> str:
    return str(entry.orchestrator_id)


def _read_at_ms(entry: Entry) -> int:
    return read_time(str(entry.metadata["read_at"]))


def _interval(entry: Entry) -> tuple[int, int]:
    return read_time(str(entry.metadata["interval_start"])), read_time(str(entry.metadata["interval_end"]))


def _rate_wei(entry: Entry) -> int:
    return parse_eth(str(entry.metadata["rate_eth_per_minute"]))


def _whole(entry: Entry, name: str) -> int:
    value = entry.metadata[name]
    assert isinstance(value, int)
    return value


def _causes(entry: Entry) -> dict[str, int]:
    causes: Any = entry.metadata.get("unbilled_ms", {})
    return dict(causes)
