"""A state machine that tells any story of edges, and checks every answer and the accounts against the rules."""

from collections.abc import Mapping
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from payments.domain.decisions import RECORDED
from payments.domain.entries import Entry
from payments.domain.sessions import END, EVENTS, HEARTBEAT, START, Session, SessionEvent
from payments.domain.state import State
from payments.errors import Rejected
from payments.store import Result
from tests.harness import HOST_A, HOST_B, NOON_MS, TERMS
from tests.store.accounts import check_accounts, check_answer, expected_kind
from tests.store.store_fixture import MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
HOST_C = "198.51.100.30"
"""Registered and unregistered during the story."""

NUMBERS = st.integers(1, 3)
ORDINARY_KINDS = st.sampled_from([HEARTBEAT, HEARTBEAT, HEARTBEAT, START, END])
HOSTS = st.sampled_from([HOST_A, HOST_B, HOST_C, None])
STEPS_MS = st.integers(0, 5 * MINUTE_MS) | st.integers(-HOUR_MS // 2, HOUR_MS)
OFFSETS_MS = st.integers(-MINUTE_MS, MINUTE_MS) | st.integers(-2 * HOUR_MS, 0) | st.just(12 * HOUR_MS)

once_begun = precondition(lambda machine: bool(machine.sent))
"""Limits rules that report nothing; otherwise many stories would have no events."""


class World(Protocol):
    """What a machine drives and can see."""

    def report(self, said: SessionEvent) -> Result: ...
    def attribute(self, attribution: Mapping[str, str]) -> None: ...
    def entries(self) -> list[Entry]: ...
    def state(self) -> State: ...


class Lifecycle(RuleBasedStateMachine):
    """Events of a few sessions on a few hosts.

    Attributes:
        now_ms: the time of the story.
        sent: all events so far, for repeats.
        known: each session as in the last answer about it.
        count: expected number of entries.
        keep_ms: how long an ended session is known.
    """

    keep_ms = TERMS.keep_ms

    def __init__(self, world: World, now_ms: int = NOON_MS) -> None:
        super().__init__()
        self.world = world
        self.now_ms = now_ms
        self.sent: list[SessionEvent] = []
        self.known: dict[str, Session] = {}
        self.count = 0
        self.attribution = dict(TERMS.attribution)
        world.attribute(self.attribution)

    @rule(
        number=NUMBERS,
        reports=st.lists(st.tuples(ORDINARY_KINDS, HOSTS, st.integers(1, 10 * MINUTE_MS)), min_size=1, max_size=5),
    )
    def go_on(self, *, number: int, reports: list[tuple[str, str | None, int]]) -> None:
        """Events of a session as a healthy edge sends them, at intervals."""
        for kind, host, later_ms in reports:
            self.now_ms += later_ms
            said = SessionEvent(f"s-{number}", kind, self.now_ms, host)
            self.tell(replace(said, occurred_at_ms=self.occurred_at_ms(None)))

    @rule(
        number=NUMBERS,
        kind=st.sampled_from(EVENTS),
        host=HOSTS,
        offset_ms=st.none() | OFFSETS_MS,
        event_id=st.sampled_from([None, "e-1", "e-2", "e-3"]),
        seq_step=st.none() | st.integers(-1, 2),
    )
    def report(
        self,
        *,
        number: int,
        kind: str,
        host: str | None,
        offset_ms: int | None,
        event_id: str | None,
        seq_step: int | None,
    ) -> None:
        """An event that was delayed or overtaken, or is from an edge with a wrong clock or counter."""
        said = SessionEvent(f"s-{number}", kind, self.now_ms, host, event_id=event_id)
        known = self.known.get(said.session_id)
        last_seq = (known and known.seq) or 0
        seq = None if seq_step is None else max(0, last_seq + seq_step)
        self.tell(replace(said, seq=seq, occurred_at_ms=self.occurred_at_ms(offset_ms)))

    @once_begun
    @rule(back=st.integers(0, 5))
    def repeat(self, back: int) -> None:
        """An event that is delivered again."""
        self.tell(replace(self.sent[-1 - back % len(self.sent)], received_at_ms=self.now_ms))

    @once_begun
    @rule(step_ms=STEPS_MS)
    def step_clock(self, step_ms: int) -> None:
        self.now_ms += step_ms

    @once_begun
    @rule()
    def register_or_remove(self) -> None:
        if self.attribution.pop(HOST_C, None) is None:
            self.attribution[HOST_C] = "orch-c"
        self.world.attribute(self.attribution)

    @invariant()
    def accounts_add_up(self) -> None:
        entries, state = self.world.entries(), self.world.state()
        check_accounts(entries, state)
        assert len(entries) == self.count
        assert state.sessions == self.known

    def occurred_at_ms(self, offset_ms: int | None) -> int | None:
        """The ``occurred_at`` of an event whose edge is ``offset_ms`` off; ``None`` if it sends none."""
        return None if offset_ms is None else max(0, self.now_ms + offset_ms)

    def covered_ms(self, before: Session | None, after: Session) -> int | None:
        """How much of the time billed between ``before`` and ``after`` readings cover; ``None``: does not matter."""
        return None

    def tell(self, said: SessionEvent) -> None:
        """Report ``said``, and check the answer against what is known."""
        self.sent.append(said)
        self.judge(said, self.world.report(said))

    def judge(self, said: SessionEvent, result: Result) -> None:
        """Check that ``result`` may be the answer to ``said``, and remember it."""
        before = self.known.get(said.session_id)
        assert result.kind == expected_kind(before, said)
        if isinstance(result, Rejected):
            return
        if result.kind == RECORDED:
            # A server timestamps the receipt by its own clock, and returns that.
            heard = replace(said, received_at_ms=result.session.last_seen_at_ms)
            covered_ms = self.covered_ms(before, result.session)
            check_answer(before, heard, result.session, self.attribution, keep_ms=self.keep_ms, covered_ms=covered_ms)
            self.known[said.session_id] = result.session
            self.count += 1
        assert result.session == self.known[said.session_id]
