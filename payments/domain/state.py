"""``State``, all that decisions need, and ``evolve``, the only function that folds entries into it."""

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
        balances: by ``orchestrator_id``; an orchestrator whose balance never changed has none.
        power: by ``orchestrator_id``; one that was never asked has none.
        overview: kept up to date once ``build_overview`` has made it; ``None`` before, and in a draft.

    The values are immutable; the dictionaries change. Look up by key, or iterate over a copy such as
    ``list(state.sessions.values())``, which CPython makes atomically.
    """

    seq: int = 0
    sessions: dict[str, Session] = field(default_factory=dict)
    balances: dict[str, Balance] = field(default_factory=dict)
    power: dict[str, PowerState] = field(default_factory=dict)
    overview: Overview | None = field(default=None, compare=False)

    def draft(self) -> "State":
        """An equal state that can be evolved without changing this one; ``adopt`` it, or drop it.

        Only look-ups by key work on its dictionaries: iterating yields only the keys changed in the draft.
        """
        return State(self.seq, _Overlay(self.sessions), _Overlay(self.balances), _Overlay(self.power))

    def adopt(self, draft: "State") -> None:
        """Take over the changes of ``draft``, which must be a draft of this state as it is now."""
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
            overlay.apply()
        self.seq = draft.seq

    def build_overview(self) -> None:
        """Make ``overview`` from the whole state."""
        self.overview = Overview()
        for session in sorted(self.sessions.values(), key=lambda each: each.last_seen_at_ms):
            self.overview.session_changed(None, session)
        for balance in self.balances.values():
            self.overview.balance_changed(None, balance)
        for power_state in self.power.values():
            self.overview.power_changed(None, power_state)

    def totals(self, now_ms: int, idle_timeout_ms: int) -> Totals:
        """Counts and sums at ``now_ms``; sessions silent for longer than ``idle_timeout_ms`` are stale."""
        assert self.overview is not None
        return self.overview.totals(self.seq, self.sessions, now_ms, idle_timeout_ms)

    def sort_sessions(self) -> None:
        """Restore the order of ``sessions`` after folding entries out of order, or some of them twice."""
        self.sessions = dict(sorted(self.sessions.items(), key=lambda item: item[1].opened_seq))

    def balance_wei(self, orchestrator_id: str) -> int:
        """What the orchestrator is owed; 0 if it never earned."""
        balance = self.balances.get(orchestrator_id)
        return balance.balance_wei if balance else 0


def evolve(state: State, entry: Entry) -> None:
    """Fold ``entry`` into ``state``. Folding it again, followed by all later entries, changes nothing."""
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
    """Changes on top of another dictionary: ``get`` falls through to it, except for keys deleted here."""

    def __init__(self, base: dict[str, V]) -> None:
        super().__init__()
        self._base = base
        self._deleted: set[str] = set()

    def get(self, key: str, default: V | None = None) -> V | None:  # type: ignore[override]
        # Not super(), which takes longer than the look-ups; each event makes four.
        if key in self:
            return self[key]
        return default if key in self._deleted else self._base.get(key, default)

    def pop(self, key: str, default: V | None = None) -> V | None:  # type: ignore[override]
        self._deleted.add(key)
        return super().pop(key, default)

    def changed(self) -> Iterable[str]:
        """The keys that were set or deleted here: the deleted ones first, the others in the order of setting."""
        return [*self._deleted.difference(self), *self] if self._deleted else self

    def apply(self) -> None:
        """Make the changes in the base dictionary, in the order in which they were made here."""
        for key in self._deleted:
            self._base.pop(key, None)
        self._base.update(self)
