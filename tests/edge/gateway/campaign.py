"""Viewers come and go through a gateway while things break; what must each stay be credited?

A session's true time has a lower and an upper bound, because on a busy machine each process notices an event only when
it gets a turn. Both are measured by one clock. The lower bound: from the viewer having the answer to its upgrade until
one side was about to close. The upper bound: from the game host being asked until the other side knew that it was over.
Everything that the gateway does for a viewer happens within the upper bound, so credits outside of the bounds are
wrong, except for the time between an event and its timestamp: 50 ms, plus the delay of the viewers' own process. A
gateway that does everything late would stay within the bounds, so the quicker stays of each way to leave are also
compared with the viewer's time alone.
"""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from payments.domain.times import parse_time
from tests.audit import audit
from tests.edge.gateway.audience import Stay
from tests.edge.line_processes import LineProcess, running_line_process
from tests.edge.reporter_processes import check_time, credited
from tests.harness import Server, journal_path

HOSTS = {"127.0.0.2": "orch-a", "127.0.0.3": "orch-b"}
"""The game hosts, and the orchestrators that they belong to."""

_NEAR_MS = 50.0
_UNWRITTEN_MS = 1000.0
"""Events so shortly before the gateway is killed may not have been written."""

_UNHEARD_OF: dict[str, Any] = {"status": "ended", "incarnation": 1, "unbilled_ms": {}, "billed_ms": 0}
"""The credit of a stay that Payments never heard of."""


class Crowd(LineProcess):
    """The process of viewers and hosts."""

    @property
    def ports(self) -> dict[str, int]:
        """Ports of the game hosts, by address."""
        answer: dict[str, int] = self.ask(ports=None)
        return answer

    @property
    def here(self) -> int:
        """Number of connected viewers."""
        answer: int = self.ask(here=None)
        return answer

    @property
    def failures(self) -> dict[str, int]:
        """Number of failed connections, by reason."""
        answer: dict[str, int] = self.ask(failures=None)
        return answer

    @property
    def lag_ms(self) -> float:
        """The longest time that the machine kept it waiting."""
        answer: float = self.ask(lag=None)
        return answer

    def come(self, number: int, url: str, stay_s: float) -> None:
        self.ask(come=number, url=url, stay_s=stay_s)

    def leave(self) -> list[Stay]:
        """Let all viewers leave; return every stay."""
        return [Stay(**each) for each in self.ask(leave=None)]


@contextmanager
def crowd(folder: Path) -> Iterator[Crowd]:
    """A process of hosts, without viewers yet."""
    log = folder / "audience.log"
    with running_line_process("tests.edge.gateway.audience", log, {}, *HOSTS) as process:
        yield Crowd(process, log)


class Findings(NamedTuple):
    """Result of a campaign. Errors are credited time less the viewer's own time, in milliseconds.

    Attributes:
        stays: number of stays; ``cut``: number of those that a kill of the gateway may have shortened.
        off_ms, median_off_ms: largest and median error of stays that were not cut.
        quick_off_ms: largest error in the best quarter of each way to leave.
        missing_ms: most time that is not credited of a stay that was cut.
        lag_ms: longest time that the machine kept the viewers waiting.
    """

    stays: int
    cut: int
    off_ms: float
    median_off_ms: float
    quick_off_ms: float
    missing_ms: float
    lag_ms: float


def check_stays(
    server: Server, stays: Sequence[Stay], kills_ms: Sequence[float], heartbeat_s: float, lag_ms: float
) -> Findings:
    """Check that each stay has one ended session with its time, and that balances have exactly what sessions earned.

    Stops Payments. ``kills_ms`` and the rest: see ``judge``.
    """
    sessions = list(credited(server).values())
    findings = judge(stays, sessions, kills_ms, heartbeat_s, lag_ms)
    check_money(server, sessions)
    return findings


def judge(
    stays: Sequence[Stay],
    sessions: Sequence[dict[str, Any]],
    kills_ms: Sequence[float],
    heartbeat_s: float,
    lag_ms: float,
) -> Findings:
    """Check that stays and ``sessions`` match one to one, and that each session ended with its time.

    ``kills_ms``: when the gateway was about to be killed; ``lag_ms``: how late processes on this machine may be.
    """
    by_stay = match(stays, sessions)
    off_ms: dict[str, list[float]] = defaultdict(list)
    missing_ms = [0.0]
    for stay in stays:
        kill_ms = _kill_of(stay, kills_ms)
        session = by_stay.get(stay.name, _UNHEARD_OF)
        assert session is not _UNHEARD_OF or kill_ms or not stay.opened_ms, f"{stay} has no session"
        assert session is _UNHEARD_OF or session["orchestrator_id"] == HOSTS[stay.host], (stay, session)
        least_ms, most_ms = _bounds_ms(stay, kill_ms)
        check_time(session, least_ms, most_ms, cut=kill_ms is not None, heartbeat_s=heartbeat_s, lag_ms=lag_ms)
        if kill_ms is not None:
            missing_ms.append(least_ms - session["billed_ms"])
        elif stay.opened_ms is not None:
            off_ms[stay.way].append(abs(session["billed_ms"] - least_ms))
    assert len(by_stay) == len(sessions)
    all_ms = [each for some in off_ms.values() for each in some]
    quick_ms = [sorted(some)[len(some) // 4] for some in off_ms.values()]
    return Findings(
        len(stays), len(missing_ms) - 1, max(all_ms), median(all_ms), max(quick_ms), max(missing_ms), lag_ms
    )  # fmt: skip


def match(stays: Sequence[Stay], sessions: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The session of each stay that has one, by name of the stay. Fails unless each session belongs to one stay.

    A viewer's first message names its session. A session that died before that is matched by its host and start.
    """
    by_stay: dict[str, dict[str, Any]] = {}
    for session in sessions:
        if (name := session["streamer_id"]) is not None:
            assert name not in by_stay, (by_stay[name], session)
            by_stay[name] = session
    left = sorted((stay for stay in stays if stay.name not in by_stay and stay.reached_ms), key=_reached_ms)
    for session in sorted((each for each in sessions if each["streamer_id"] is None), key=_begun_ms):
        fitting = [stay for stay in left if _fits(stay, session)]
        assert fitting, f"nobody's: {session}"
        left.remove(fitting[0])
        by_stay[fitting[0].name] = session
    assert by_stay.keys() <= {stay.name for stay in stays}
    return by_stay


def _fits(stay: Stay, session: dict[str, Any]) -> bool:
    latest_ms = stay.opened_ms or stay.gone_ms or 0
    return session["upstream_addr"] == stay.host and (
        _reached_ms(stay) - _NEAR_MS <= _begun_ms(session) <= latest_ms + _NEAR_MS
    )


def _reached_ms(stay: Stay) -> float:
    return stay.reached_ms or 0


def _begun_ms(session: dict[str, Any]) -> int:
    return parse_time(session["started_at"])


def _kill_of(stay: Stay, kills_ms: Sequence[float]) -> float | None:
    """The kill that may have shortened the stay; ``None``: no kill came before its end."""
    begun_ms = stay.reached_ms or stay.opened_ms or 0
    gone_ms = stay.gone_ms or begun_ms
    return next((at_ms for at_ms in kills_ms if begun_ms - _NEAR_MS <= at_ms <= gone_ms + _UNWRITTEN_MS), None)


def _bounds_ms(stay: Stay, kill_ms: float | None) -> tuple[float, float]:
    """Lower and upper bound of its duration."""
    if stay.opened_ms is None:
        # The host accepted, but the viewer never got the answer.
        return 0.0, 0.0 if stay.gone_ms is None else stay.gone_ms - _reached_ms(stay)
    assert stay.reached_ms, stay
    assert stay.gone_ms, stay
    left_ms = stay.left_ms
    if left_ms is None:
        assert kill_ms is not None, f"{stay} was cut off, and no gateway was killed"
        left_ms = min(kill_ms, stay.gone_ms)
    return left_ms - stay.opened_ms, stay.gone_ms - stay.reached_ms


def check_money(server: Server, sessions: Sequence[dict[str, Any]]) -> None:
    """Check that no time is credited twice, balances are what sessions earned, and the journal is intact."""
    earned: dict[str, Decimal] = defaultdict(Decimal)
    for session in sessions:
        earned[session["orchestrator_id"]] += Decimal(session["billed_eth"])
    said = server.get("/api/ledger/balances")["balances"]
    assert earned == {each["orchestrator_id"]: Decimal(each["balance"]) for each in said}
    server.stop()
    found = audit(journal_path(server.data))
    assert found.balances == earned
    billed_ms: Counter[str] = Counter()
    until: dict[str, str] = {}
    for entry in found.entries:
        if entry["reason"] == "session_time":
            about = entry["metadata"]
            name, begun, ended = about["session_id"], about["interval_start"], about["interval_end"]
            assert until.get(name, "") <= begun < ended, f"a moment of {name} is credited twice"
            assert parse_time(ended) - parse_time(begun) == about["delta_ms"]
            billed_ms[name] += about["delta_ms"]
            until[name] = ended
    assert billed_ms == {each["session_id"]: each["billed_ms"] for each in sessions if each["billed_ms"]}
    subprocess.run(
        [Path(sys.executable).with_name("payments"), "ledger", "verify"],
        env={"PAYMENTS_DATA_DIR": str(server.data)}, capture_output=True, check=True,
    )  # fmt: skip


def write_routes(path: Path, ports: dict[str, int]) -> None:
    """Write a file of routes, by the first segment of the path: the address of the host."""
    routes = [{"path": f"/{address}", "upstream": f"{address}:{port}"} for address, port in ports.items()]
    path.write_text(json.dumps({"routes": routes}))
