"""A rebuild gives the same state as folding every entry, and refuses the same journals."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from payments.domain.commands import Command, decide
from payments.domain.entries import ADJUSTMENT, CREDIT, Entry
from payments.domain.readings import AWAKE, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import ACTIVE, END, HEARTBEAT, START
from payments.domain.state import State, evolve
from payments.errors import Corrupt
from payments.store.file import rebuild as engine
from payments.store.file.codec import BadLine, Position, decode_lines, decode_to_fold, encode, line_hash
from payments.store.file.rebuild import Rebuild
from tests.harness import HOST_A, HOST_B, NOON_MS, TERMS, campaign, event

RETENTION, READING = "retention", "reading"
POWERED = TERMS._replace(power_rate_wei_per_minute=10**15)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["s-1", 's-"2', "s-\\3", ',"amount":', '"session":["s-1"']),
        st.sampled_from([START, HEARTBEAT, HEARTBEAT, END, RETENTION, READING, READING]),
        st.sampled_from([HOST_A, HOST_B, "203.0.113.99"]),
        st.integers(0, 90_000),
        st.booleans(),
    ),
    max_size=30,
)


def history(steps: Sequence[tuple[str, str, str, int, bool]]) -> list[Entry]:
    """Entries of sessions with changing hosts, closed by retention, of readings, and of adjustments."""
    state, entries, now_ms = State(), list[Entry](), NOON_MS
    for session_id, kind, host, passed_ms, is_corrected in steps:
        now_ms += passed_ms
        command = command_of(session_id, kind, host, state, now_ms)
        for entry in decide(command, state, POWERED, now_ms).entries if command else ():
            evolve(state, entry)
            entries.append(entry)
        if is_corrected:
            balance_wei = state.balance_wei("orch-a") + 7
            entry = Entry(state.seq + 1, now_ms, CREDIT, ADJUSTMENT, "orch-a", 7, balance_wei, {"note": "x"}, None)
            evolve(state, entry)
            entries.append(entry)
    return entries


def command_of(session_id: str, kind: str, host: str, state: State, now_ms: int) -> Command | None:
    """The command of a step. An orchestrator may have a session's name; retention does whatever is due."""
    if kind == READING:
        return Reading(POWERED.attribution.get(host, session_id), AWAKE, now_ms, session_id)
    if kind != RETENTION:
        return event(session_id, kind, now_ms, upstream_addr=host)
    session = state.sessions.get(session_id)
    return (
        None
        if session is None
        else (CloseStale if session.status == ACTIVE else PurgeEnded)(session_id, session.last_seen_at_ms)
    )


def lines_of(entries: Sequence[Entry]) -> list[bytes]:
    """The journal of ``entries``."""
    lines, prev = [], Position().hash
    for entry in entries:
        lines.append(encode(entry, 0, prev))
        prev = line_hash(lines[-1])
    return lines


def rebuilt(lines: Sequence[bytes], state: State | None = None) -> State:
    """Rebuild from ``lines``, starting with ``state``."""
    state = state or State()
    rebuild, position = Rebuild(state), Position()
    for line in lines:
        position = rebuild.note_lines([line], position).position
    rebuild.settle()
    return state


def folded(entries: Sequence[Entry]) -> State:
    """Fold all entries one by one."""
    state = State()
    for entry in entries:
        evolve(state, entry)
    return state


@pytest.mark.parametrize("standing", [0, 2, 20_000])
def test_a_rebuild_is_the_fold(standing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_STANDING_LINES", standing)

    @campaign(150)
    @given(STEPS)
    def check(steps: list[tuple[str, str, str, int, bool]]) -> None:
        entries = history(steps)
        state, expected = rebuilt(lines_of(entries)), folded(entries)
        assert state == expected
        assert list(state.sessions) == list(expected.sessions)

    check()


@campaign(100)
@given(STEPS, st.integers(0, 30))
def test_entries_that_a_projection_shows_already_change_nothing(
    steps: list[tuple[str, str, str, int, bool]], shown: int
) -> None:
    """A crash between two projections leaves one of them newer than the start of reading."""
    entries = history(steps)
    newer = folded(entries[:shown])
    assert rebuilt(lines_of(entries), State(0, newer.sessions, {}, {})) == folded(entries)
    assert rebuilt(lines_of(entries), State(0, {}, {}, newer.power)) == folded(entries)


def test_what_is_wrong_with_a_line_is_said_as_ever() -> None:
    lines = lines_of(history([("s-1", HEARTBEAT, HOST_A, 1000, False)] * 3))
    damaged = {
        "its checksum": lines[2].replace(b"s-1", b"s-2", 1),
        "the chain": lines_of(history([("s-1", HEARTBEAT, HOST_A, 2000, False)] * 3))[2],
        "the line before": lines[1],
        "no newline": lines[2][:-1],
        "nothing": b"\n",
    }
    for line in damaged.values():
        read = [*lines[:2], line, lines[2]]
        noted, decoded = Rebuild(State()).note_lines(read, Position()), decode_lines(read, Position())
        assert (noted.position, str(noted.error)) == (decoded.position, str(decoded.error))
        assert isinstance(noted.error, BadLine)


def test_of_the_readings_of_one_orchestrator_the_last_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter writes a line each minute for years; only the last of each orchestrator counts."""

    def noted(line: bytes) -> Entry:
        decoded.append(line)
        return decode_to_fold(line)

    decoded: list[bytes] = []
    monkeypatch.setattr(engine, "decode_to_fold", noted)
    lines = lines_of(history([("s-1", READING, host, 1000, False) for host in (HOST_A, HOST_B) * 5]))
    assert sorted(rebuilt(lines).power) == ["orch-a", "orch-b"]
    assert decoded == lines[-2:]


def test_a_sound_line_that_is_no_entry_is_refused() -> None:
    [entry] = history([("s-1", START, HOST_A, 0, False)])
    assert entry.session is not None
    broken = encode(replace(entry, session=replace(entry.session, billed_wei="many")), 0, Position().hash)
    with pytest.raises(Corrupt, match="seq 1 cannot be read"):
        rebuilt([broken])
