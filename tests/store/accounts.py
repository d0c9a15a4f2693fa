"""What always holds of entries and of the state made from them, whatever was reported; worked out from the entries."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from payments.domain.entries import CREDIT, Entry
from payments.domain.money import MS_PER_MINUTE, parse_eth
from payments.domain.sessions import ACTIVE, END, ENDED, HEARTBEAT, START, Session, SessionEvent
from payments.domain.state import State, evolve
from payments.domain.times import read_time


def check_accounts(entries: Sequence[Entry], state: State) -> None:
    """Hold ``entries``, oldest first, against each other and against ``state``. Raises ``AssertionError``."""
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    check_fold(entries, state)
    check_balances(entries, state)
    for session in state.sessions.values():
        assert session.billed_ms + sum(session.unbilled_ms.values()) == session.elapsed_ms, session
    by_session = sorted((entry for entry in entries if entry.session is not None), key=_session_id)
    for _, told in groupby(by_session, _session_id):
        history = list(told)
        check_intervals(history)
        for _, lived in groupby(history, lambda entry: entry.metadata["incarnation"]):
            check_incarnation(list(lived))


def check_fold(entries: Iterable[Entry], state: State) -> None:
    """``state`` is what the entries fold into, its sessions in the order of their opening."""
    folded = State()
    for entry in entries:
        evolve(folded, entry)
    assert list(state.sessions.items()) == list(folded.sessions.items())
    assert (state.balances, state.seq) == (folded.balances, folded.seq)


def check_balances(entries: Iterable[Entry], state: State) -> None:
    """Each balance is the sum of the deltas of its entries, and each of those said so at its time."""
    owed_wei: dict[str, int] = {}
    for entry in entries:
        if entry.orchestrator_id is not None and entry.delta_wei is not None:
            owed_wei[entry.orchestrator_id] = owed_wei.get(entry.orchestrator_id, 0) + entry.delta_wei
            assert entry.balance_wei == owed_wei[entry.orchestrator_id], entry
    assert {name: balance.balance_wei for name, balance in state.balances.items()} == owed_wei


def check_intervals(history: Sequence[Entry]) -> None:
    """The intervals of one session, over all its incarnations, follow each other: no moment is in two of them."""
    for (_, end_ms), (start_ms, _) in pairwise(_interval(entry) for entry in history):
        assert end_ms <= start_ms, history
    for before, after in pairwise(history):
        if before.metadata["incarnation"] == after.metadata["incarnation"]:
            assert _interval(before)[1] == _interval(after)[0], (before, after)


def check_incarnation(lived: Sequence[Entry]) -> None:
    """Its credits are its rates times its time, rounded down once; its record is the sum of its entries."""
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


def check_answer(before: Session | None, said: SessionEvent, session: Session, attribution: Mapping[str, str]) -> None:
    """``session`` is what the recorded event ``said`` makes of ``before``: time moves on to its evidence, not back."""
    evidence_ms = said.received_at_ms
    if said.occurred_at_ms is not None and said.occurred_at_ms < evidence_ms:
        evidence_ms = said.occurred_at_ms
    assert session.last_billed_at_ms == max(evidence_ms, before.last_billed_at_ms if before else 0)
    reopens = before is not None and before.status == ENDED and said.event == START
    assert session.incarnation == (before.incarnation if before else 1) + reopens
    if before is None or reopens:
        assert session.started_at_ms == session.last_billed_at_ms
        assert (session.billed_ms, session.unbilled_ms) == (0, {})
    else:
        grown = {cause for cause, ms in session.unbilled_ms.items() if ms > before.unbilled_ms.get(cause, 0)}
        assert "unattributed" not in grown or before.orchestrator_id is None
        assert session.billed_ms == before.billed_ms or before.orchestrator_id is not None
    assert session.orchestrator_id == attribution.get(session.upstream_addr)
    assert (session.status, session.last_event) == (ENDED if said.event == END else ACTIVE, said.event)


def expected_kind(before: Session | None, said: SessionEvent) -> str:
    """What the answer to ``said`` must be in a word, by rules 4.5 to 4.7 and 4.10."""
    if before is None:
        return "recorded" if said.upstream_addr is not None else "invalid"
    if said.event_id is not None and said.event_id == before.event_id:
        return "duplicate" if said.digest() == before.event_digest else "conflict"
    is_closed = before.end_reason == END
    if is_closed and said.event == END:
        return "duplicate"
    is_overtaken = said.seq is not None and before.last_seq is not None and said.seq <= before.last_seq
    if is_overtaken or (is_closed and said.event == HEARTBEAT):
        return "late"
    return "recorded"


def _session_id(entry: Entry) -> str:
    return str(entry.metadata["session_id"])


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
