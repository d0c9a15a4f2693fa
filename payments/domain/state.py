"""Everything that decisions need, and the only fold that makes it from entries."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from payments.domain.entries import SESSION_FORGOTTEN, Entry
from payments.domain.ledger import Balance, Booked
from payments.domain.overview import Overview, Totals
from payments.domain.readings import PowerState
from payments.domain.sessions import Session

V = TypeVar("V")


@dataclass(slots=True)
class State:
    """The journal, folded.

    Attributes:
        seq: of the last entry folded; 0 before the first.
        sessions: by ``session_id``, in the order in which their incarnations opened, oldest first.
        balances: by ``orchestrator_id``; an orchestrator that never earned has none.
        power: by ``orchestrator_id``; one that was never asked has none.
        overview: follows every change once ``survey`` has made it; ``None`` before, and in a draft.

    The values are immutable and the dictionaries live: look up by key, or copy with ``list(state.sessions.values())``
    (one atomic step in CPython) before walking through.
    """

    seq: int = 0
    sessions: dict[str, Session] = field(default_factory=dict)
    balances: dict[str, Balance] = field(default_factory=dict)
    power: dict[str, PowerState] = field(default_factory=dict)
    overview: Overview | None = field(default=None, compare=False)

    def draft(self) -> "State":
        """A state that starts out equal and can be evolved and thrown away without touching this one.

        Made for look-ups by key: walking through its dictionaries shows only what has evolved since.
        """
        return State(self.seq, _Overlay(self.sessions), _Overlay(self.balances), _Overlay(self.power))

    def adopt(self, draft: "State") -> None:
        """Become what ``draft``, made of this state as it is now, has evolved into: as if its entries were folded."""
        sessions, balances, power = draft.sessions, draft.balances, draft.power
        assert isinstance(sessions, _Overlay)
        assert isinstance(balances, _Overlay)
        assert isinstance(power, _Overlay)
        if self.overview is not None:
            for session_id in sessions.changed():
                self.overview.session_changed(self.sessions.get(session_id), sessions.get(session_id))
            for orchestrator_id, balance in balances.items():
                self.overview.balance_changed(self.balances.get(orchestrator_id), balance)
            for orchestrator_id, power_state in power.items():
                self.overview.power_changed(self.power.get(orchestrator_id), power_state)
        for overlay in (sessions, balances, power):
            overlay.lay_down()
        self.seq = draft.seq

    def survey(self) -> None:
        """Make ``overview`` from what is here."""
        self.overview = Overview()
        for session in sorted(self.sessions.values(), key=lambda each: each.last_seen_at_ms):
            self.overview.session_changed(None, session)
        for balance in self.balances.values():
            self.overview.balance_changed(None, balance)
        for power_state in self.power.values():
            self.overview.power_changed(None, power_state)

    def totals(self, now_ms: int, idle_timeout_ms: int) -> Totals:
        """Counts and sums over everything that was surveyed; sessions silent for longer are stale."""
        assert self.overview is not None
        return self.overview.totals(self.seq, self.sessions, now_ms, idle_timeout_ms)

    def restore_order(self) -> None:
        """Put the sessions in their order again, after a fold that did not begin where the sessions stood."""
        self.sessions = dict(sorted(self.sessions.items(), key=lambda item: item[1].opened_seq))

    def balance_wei(self, orchestrator_id: str) -> int:
        """What the orchestrator is owed; 0 if it never earned."""
        balance = self.balances.get(orchestrator_id)
        return balance.balance_wei if balance else 0


def evolve(state: State, entry: Entry) -> None:
    """Fold ``entry`` into ``state``. Folding an entry again, with all that follow it, changes nothing."""
    session = entry.session
    if session is not None:
        known = state.sessions.get(session.session_id)
        is_forgotten = entry.reason == SESSION_FORGOTTEN
        if known is not None and (is_forgotten or known.opened_seq != session.opened_seq):
            state.sessions.pop(session.session_id, None)
        if not is_forgotten:
            state.sessions[session.session_id] = session
        if state.overview is not None:
            state.overview.session_changed(known, None if is_forgotten else session)
    if entry.balance_wei is not None and entry.orchestrator_id is not None:
        owed = state.balances.get(entry.orchestrator_id)
        booked = owed.booked if owed is not None else {}
        if entry.delta_wei is not None and isinstance(key := entry.metadata.get("booked_as"), str):
            booked = {**booked, key: Booked(entry.seq, entry.delta_wei)}
        balance = Balance(entry.orchestrator_id, entry.balance_wei, entry.timestamp_ms, entry.seq, booked)
        state.balances[entry.orchestrator_id] = balance
        if state.overview is not None:
            state.overview.balance_changed(owed, balance)
    if entry.power is not None:
        if state.overview is not None:
            state.overview.power_changed(state.power.get(entry.power.orchestrator_id), entry.power)
        state.power[entry.power.orchestrator_id] = entry.power
    state.seq = entry.seq


class _Overlay(dict[str, V]):
    """A dictionary whose look-ups fall through to another one, but for what was taken out."""

    def __init__(self, below: dict[str, V]) -> None:
        super().__init__()
        self._below = below
        self._gone: set[str] = set()

    def get(self, key: str, default: V | None = None) -> V | None:  # type: ignore[override]
        # Not super(): that takes longer than the look-ups, of which each event makes four.
        if key in self:
            return self[key]
        return default if key in self._gone else self._below.get(key, default)

    def pop(self, key: str, default: V | None = None) -> V | None:  # type: ignore[override]
        self._gone.add(key)
        return super().pop(key, default)

    def changed(self) -> Iterable[str]:
        """The keys that this one shows otherwise than the one below, in the order in which they came about."""
        return [*self._gone.difference(self), *self] if self._gone else self

    def lay_down(self) -> None:
        """Let the dictionary below show what this one does, in the order in which it came about."""
        for key in self._gone:
            self._below.pop(key, None)
        self._below.update(self)
