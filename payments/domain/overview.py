"""Counts, sums and orders over all sessions and balances. Every change updates them, so no query scans the state."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from payments.domain.entries import ADJUSTMENT, PAYOUT, POWER_TIME, SESSION_TIME
from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import ACTIVE, ENDED, STALE, Session


class Totals(NamedTuple):
    """The whole ledger in a few numbers.

    Attributes:
        entries: in the journal.
        sessions: how many are known, by status.
        unattributed: active and stale sessions that no orchestrator earns from.
        credited_wei: the sum of the changes by reason: positive for credits, negative for debits.
        owed_wei: the sum of all balances.
    """

    entries: int
    sessions: Mapping[str, int]
    unattributed: int
    credited_wei: Mapping[str, int]
    owed_wei: int


class Overview:
    """Running totals. The caller reports every change of a session, a balance or a power state.

    Attributes:
        active: the ids of active sessions, the longest silent first.
        ended: the ids of ended sessions, in the same order.
    """

    def __init__(self) -> None:
        self.active: dict[str, None] = {}
        self.ended: dict[str, None] = {}
        self._unattributed = 0
        self._owed_wei = 0
        self._credited_wei = {ADJUSTMENT: 0, PAYOUT: 0, POWER_TIME: 0}

    def session_changed(self, before: Session | None, after: Session | None) -> None:
        """A session changed. ``before`` is ``None`` for one that was not known, ``after`` for one that was purged."""
        if before is not None:
            is_active = before.status == ACTIVE
            (self.active if is_active else self.ended).pop(before.session_id, None)
            self._unattributed -= is_active and before.orchestrator_id is None
        if after is not None:
            is_active = after.status == ACTIVE
            (self.active if is_active else self.ended)[after.session_id] = None
            self._unattributed += is_active and after.orchestrator_id is None

    def balance_changed(self, before: Balance | None, after: Balance) -> None:
        """A balance changed; ``before`` is ``None`` if the orchestrator had none."""
        self._owed_wei += after.balance_wei - (before.balance_wei if before else 0)
        known = before.booked if before else {}
        if after.booked is not known:
            for key, booked in after.booked.items():
                if key not in known:
                    self._credited_wei[key.partition(":")[0]] += booked.delta_wei

    def power_changed(self, before: PowerState | None, after: PowerState) -> None:
        """A power state changed; ``before`` is ``None`` at the first reading."""
        self._credited_wei[POWER_TIME] += after.billed_wei - (before.billed_wei if before else 0)

    def totals(self, entries: int, sessions: Mapping[str, Session], now_ms: int, idle_timeout_ms: int) -> Totals:
        """The totals at ``now_ms``. Takes time only for each stale session."""
        stale = sum(1 for _ in stale_sessions(self, sessions, now_ms, idle_timeout_ms))
        other_wei = sum(self._credited_wei.values())
        return Totals(
            entries,
            {ACTIVE: len(self.active) - stale, STALE: stale, ENDED: len(self.ended)},
            self._unattributed,
            {**self._credited_wei, SESSION_TIME: self._owed_wei - other_wei},
            self._owed_wei,
        )


def stale_sessions(
    overview: Overview, sessions: Mapping[str, Session], now_ms: int, silent_ms: int
) -> Iterator[Session]:
    """The active sessions without an event for longer than ``silent_ms``, the longest silent first.

    Stops at the first session that is not stale, so it takes time only for those it yields.
    """
    for session in longest_silent(overview.active, sessions, now_ms):
        if session.status_at(now_ms, silent_ms) != STALE:
            return
        yield session


def longest_silent(session_ids: Mapping[str, None], sessions: Mapping[str, Session], now_ms: int) -> Iterator[Session]:
    """The sessions with ``session_ids``, in that order, except those last seen after ``now_ms``.

    Those were seen before the clock stepped back; they are skipped because the ones after them may still be silent.
    """
    # Copying is atomic, so no writer can interrupt it.
    for session_id in list(session_ids):
        session = sessions.get(session_id)
        if session is not None and session.last_seen_at_ms <= now_ms:
            yield session
