"""Compares a state with the journal's last lines, so that an edited projection is never believed.

A start takes the state from the projections and folds only later entries. Whatever can still earn or be paid must then
agree with the last line about it: every balance, every active session, every power state.
"""

import orjson

from payments.domain.entries import SESSION_FORGOTTEN
from payments.domain.ledger import Balance
from payments.domain.readings import PowerState
from payments.domain.sessions import ACTIVE, Session
from payments.domain.state import State
from payments.store.file.codec import POWER_MARK, SESSION_MARK
from payments.store.file.journal import End
from payments.store.file.lines import split_lines
from payments.store.file.reader import SegmentPrefix, backwards, decode_in, read_page
from payments.store.file.rebuild import ORCHESTRATOR, keys_of
from payments.store.protocol import EntryQuery

MAX_BYTES = 1 << 28
"""How much of the journal is searched, which takes about a second. A balance that did not change there is compared with
the entry that it names, without checking that this entry is the last about it."""


def contradiction(end: End, state: State) -> str | None:
    """How the journal up to ``end`` contradicts ``state``; ``None``: no contradiction was found.

    Raises ``Corrupt`` and ``OSError``.
    """
    proof = _Proof(state)
    read_bytes = 0
    for block in backwards(end, None):
        if not proof.due or read_bytes > MAX_BYTES:
            break
        for line in reversed(split_lines(block.data)):
            if (why := proof.contradicted_by(block.file, line)) is not None:
                return why
        read_bytes += len(block.data)
    else:
        return f"nothing about {min(proof.due).decode()}" if proof.due else None
    for balance in proof.unproven_balances():
        entries = read_page(end, EntryQuery(), balance.seq + 1, 1).items
        if not entries or not _is_made_by(balance, balance.seq, entries[0].orchestrator_id, entries[0].balance_wei):
            return f"another balance of {balance.orchestrator_id} in entry {balance.seq}"
    return None


def _is_made_by(balance: Balance, seq: int, orchestrator_id: str | None, balance_wei: int | None) -> bool:
    return (balance.seq, balance.orchestrator_id, balance.balance_wei) == (seq, orchestrator_id, balance_wei)


class _Proof:
    """The state by the keys that lines have, and the keys whose last line is still to be found (``due``)."""

    def __init__(self, state: State) -> None:
        self._subjects: dict[bytes, Session | PowerState] = {}
        self._balances = {ORCHESTRATOR + orjson.dumps(each): balance for each, balance in state.balances.items()}
        self.due = set(self._balances)
        for power in state.power.values():
            self._subjects[POWER_MARK + orjson.dumps(power.orchestrator_id)] = power
        self.due.update(self._subjects)
        for session in state.sessions.values():
            key = SESSION_MARK + orjson.dumps(session.session_id)
            self._subjects[key] = session
            # Ended sessions earn nothing, so their lines are not searched for, only compared when met.
            if session.status == ACTIVE:
                self.due.add(key)
        self._seen: set[bytes] = set()

    def unproven_balances(self) -> list[Balance]:
        """The balances whose last line was not found."""
        return [self._balances[key] for key in self.due if key in self._balances]

    def contradicted_by(self, file: SegmentPrefix, line: bytes) -> str | None:
        """How ``line`` contradicts the state, if all later lines agree with it; ``None``: it agrees."""
        subject, account = keys_of(line)
        news = {key for key in (subject, account) if key is not None and key not in self._seen}
        if not news:
            return None
        self._seen |= news
        self.due -= news
        entry = decode_in(file, line)
        if subject in news:
            last = None if entry.reason == SESSION_FORGOTTEN else entry.session or entry.power
            if self._subjects.get(subject) != last:
                return f"{subject.decode()} otherwise in entry {entry.seq}"
        if account in news:
            balance = self._balances.get(account)
            if balance is None or not _is_made_by(balance, entry.seq, entry.orchestrator_id, entry.balance_wei):
                return f"another balance of {entry.orchestrator_id} in entry {entry.seq}"
        return None
