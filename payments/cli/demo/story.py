"""Entries of the journal, as the API shows them -> what happened, in words, and who has earned what. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from payments.cli.demo.stage import Place
from payments.domain.entries import POWER_TIME, SESSION_OPENED, SESSION_TIME
from payments.domain.money import format_eth, parse_signed_eth
from payments.domain.readings import AWAKE
from payments.domain.sessions import END

_SHOWN_ID = 8
"""Characters of a session's id in a line; ``--json`` has all of it."""


class Happening(NamedTuple):
    """Something that happened: ``what`` in one word, in a sentence, and for programs."""

    what: str
    text: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class _Account:
    """What Payments has recorded of one host. Amounts are in wei."""

    place: Place
    power: str = "unknown"
    session_wei: int = 0
    power_wei: int = 0
    balance_wei: int = 0


@dataclass(slots=True)
class _Open:
    """A session that is connected: what it has earned so far, and for how long."""

    orchestrator_id: str
    earned_wei: int = 0
    billed_ms: int = 0
    streamer_id: str | None = None


class Narrative:
    """What the entries tell, one after the other."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._accounts = {place.orchestrator_id: _Account(place) for place in places}
        self._open: dict[str, _Open] = {}
        self._owed_wei = 0
        self.last_seq = 0

    def hear(self, entry: Mapping[str, Any]) -> Iterator[Happening]:
        """What ``entry``, the one that follows in the journal, says that is worth telling."""
        self.last_seq = entry["seq"]
        wei = parse_signed_eth(entry.get("delta", "0"))
        self._owed_wei += wei
        account = self._accounts.get(entry["orchestrator_id"])
        if account is None:
            # Somebody has reported a session on another host.
            return
        if "balance" in entry:
            account.balance_wei = parse_signed_eth(entry["balance"])
        if entry["reason"] == POWER_TIME:
            account.power_wei += wei
        if entry["reason"] == SESSION_TIME:
            account.session_wei += wei
        said = entry["metadata"]
        if "session_id" in said:
            yield from self._hear_of_session(entry["reason"], account, said, wei)
        elif said.get("state", account.power) != account.power:
            account.power = said["state"]
            yield _power(account)

    def balances(self) -> list[dict[str, Any]]:
        """What each orchestrator has earned, and is owed."""
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
        """What is owed in all, added up entry by entry, whatever it is owed for."""
        return self._owed_wei

    def _hear_of_session(
        self, reason: str, account: _Account, said: Mapping[str, Any], wei: int
    ) -> Iterator[Happening]:
        session_id, place = said["session_id"], account.place
        if reason == SESSION_OPENED:
            self._open[session_id] = _Open(place.orchestrator_id)
            yield Happening(
                "connected",
                f"a viewer is connected to {place.name} ({place.address}): session {session_id[:_SHOWN_ID]}",
                {"session_id": session_id, "orchestrator_id": place.orchestrator_id, "host": place.address},
            )
        session = self._open.get(session_id)
        if session is None:
            # Closed by the worker as silent for too long, and heard of again.
            return
        session.earned_wei += wei
        session.billed_ms += said["delta_ms"]
        session.streamer_id = said["streamer_id"] or session.streamer_id
        if said["event"] == END:
            del self._open[session_id]
            yield _ended(session_id, session, place)


def seconds(milliseconds: int) -> str:
    """``1.050 s``."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d} s"


def _ended(session_id: str, session: _Open, place: Place) -> Happening:
    earned = format_eth(session.earned_wei)
    streamer = f" (streamer {session.streamer_id})" if session.streamer_id else ""
    return Happening(
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


def _power(account: _Account) -> Happening:
    place = account.place
    meaning = "powered-on time earns" if account.power == AWAKE else "powered-on time earns nothing until it is awake"
    return Happening(
        "power",
        f"{place.name} is {account.power}: {meaning}",
        {"orchestrator_id": place.orchestrator_id, "state": account.power},
    )
