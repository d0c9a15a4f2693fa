"""Journal entries, as the API shows them -> events in words, and earnings per orchestrator. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from payments.cli.demo.stage import Place
from payments.domain.entries import POWER_TIME, SESSION_OPENED, SESSION_TIME
from payments.domain.money import format_eth, parse_signed_eth
from payments.domain.readings import AWAKE
from payments.domain.sessions import END

_SHOWN_ID = 8
"""Characters of a session's id in a line; ``--json`` shows it in full."""


class DemoEvent(NamedTuple):
    """An event: ``what`` in one word, ``text`` for people, ``fields`` for programs."""

    what: str
    text: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class _Account:
    """What Payments has recorded for one host. Amounts are in wei."""

    place: Place
    power: str = "unknown"
    session_wei: int = 0
    power_wei: int = 0
    balance_wei: int = 0


@dataclass(slots=True)
class _OpenSession:
    """A connected session, its earnings so far in wei, and its billed time in milliseconds."""

    orchestrator_id: str
    earned_wei: int = 0
    billed_ms: int = 0
    streamer_id: str | None = None


class EntryReader:
    """Turns entries, added in journal order, into events and earnings."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._accounts = {place.orchestrator_id: _Account(place) for place in places}
        self._open: dict[str, _OpenSession] = {}
        self._owed_wei = 0
        self.last_seq = 0

    def add(self, entry: Mapping[str, Any]) -> Iterator[DemoEvent]:
        """Add ``entry``, the next one of the journal, and yield the events to show."""
        self.last_seq = entry["seq"]
        wei = parse_signed_eth(entry.get("delta", "0"))
        self._owed_wei += wei
        account = self._accounts.get(entry["orchestrator_id"])
        if account is None:
            # A session on a host outside the demo was reported.
            return
        if "balance" in entry:
            account.balance_wei = parse_signed_eth(entry["balance"])
        if entry["reason"] == POWER_TIME:
            account.power_wei += wei
        if entry["reason"] == SESSION_TIME:
            account.session_wei += wei
        details = entry["metadata"]
        if "session_id" in details:
            yield from self._add_session_entry(entry["reason"], account, details, wei)
        elif details.get("state", account.power) != account.power:
            account.power = details["state"]
            yield _power(account)

    def balances(self) -> list[dict[str, Any]]:
        """Earnings and balance of each orchestrator, amounts in ETH."""
        watching = [each.orchestrator_id for each in self._open.values()]
        return [
            {
                "orchestrator_id": orchestrator_id,
                "host": account.place.address,
                "power": account.power,
                "viewers": watching.count(orchestrator_id),
                "session_time": format_eth(account.session_wei),
                "power_time": format_eth(account.power_wei),
                "balance": format_eth(account.balance_wei),
            }
            for orchestrator_id, account in self._accounts.items()
        ]

    def owed_wei(self) -> int:
        """Total owed, in wei: the sum over all entries of any reason."""
        return self._owed_wei

    def _add_session_entry(
        self, reason: str, account: _Account, details: Mapping[str, Any], wei: int
    ) -> Iterator[DemoEvent]:
        session_id, place = details["session_id"], account.place
        if reason == SESSION_OPENED:
            self._open[session_id] = _OpenSession(place.orchestrator_id)
            yield DemoEvent(
                "connected",
                f"a viewer is connected to {place.name} ({place.address}): session {session_id[:_SHOWN_ID]}",
                {"session_id": session_id, "orchestrator_id": place.orchestrator_id, "host": place.address},
            )
        session = self._open.get(session_id)
        if session is None:
            # The worker closed it as silent, and now another event arrived.
            return
        session.earned_wei += wei
        session.billed_ms += details["delta_ms"]
        session.streamer_id = details["streamer_id"] or session.streamer_id
        if details["event"] == END:
            del self._open[session_id]
            yield _ended(session_id, session, place)


def seconds(milliseconds: int) -> str:
    """Format milliseconds as seconds: ``1.050 s``."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d} s"


def _ended(session_id: str, session: _OpenSession, place: Place) -> DemoEvent:
    earned = format_eth(session.earned_wei)
    streamer = f" (streamer {session.streamer_id})" if session.streamer_id else ""
    return DemoEvent(
        "ended",
        f"session {session_id[:_SHOWN_ID]} on {place.name}{streamer} has ended: "
        f"{seconds(session.billed_ms)} earned {earned} ETH",
        {
            "session_id": session_id,
            "orchestrator_id": session.orchestrator_id,
            "streamer_id": session.streamer_id,
            "billed_ms": session.billed_ms,
            "earned_eth": earned,
        },
    )


def _power(account: _Account) -> DemoEvent:
    place = account.place
    meaning = "powered-on time earns" if account.power == AWAKE else "powered-on time earns nothing until it is awake"
    return DemoEvent(
        "power",
        f"{place.name} is {account.power}: {meaning}",
        {"orchestrator_id": place.orchestrator_id, "state": account.power},
    )
