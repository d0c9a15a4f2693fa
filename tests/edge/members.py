"""Processes of ``member.py``, as tests see them, and what Payments made of their sessions."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.edge.puppets import Puppet, running_puppet
from tests.harness import Server, until

HEARTBEAT_S = 1


class Viewing(NamedTuple):
    """A viewer's stay, as it truly was: milliseconds since the epoch; ``cut``: ended by the death of its edge."""

    begun_ms: float
    ended_ms: float
    cut: bool = False


class Member(Puppet):
    """A process with a reporter."""

    def open(self, count: int) -> dict[str, float]:
        """So many viewers come: when, by session."""
        answer: dict[str, float] = self.ask(open=count)
        return answer

    def end(self, sessions: list[str]) -> dict[str, float]:
        """Those viewers leave: when, by session."""
        answer: dict[str, float] = self.ask(end=sessions)
        return answer

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(status=None)
        return answer

    def close(self, timeout_s: float) -> bool:
        answer: bool = self.ask(close=timeout_s)
        assert self.process.wait(timeout=30) == 0, self.log.read_text()
        return answer


@contextmanager
def member(folder: Path, url: str, **settings: str) -> Iterator[Member]:
    """A process with a reporter whose spool is in ``folder``; gone at the end, whatever happens."""
    settings = {
        "PAYMENTS_API_URL": url,
        "PAYMENTS_SESSION_TOKEN": Server.REPORTER,
        "PAYMENTS_SESSION_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
        "PAYMENTS_EDGE_ID": "edge-a",
        "PAYMENTS_SPOOL_DIR": str(folder / "spool"),
        **settings,
    }
    log = folder / "member.log"
    with running_puppet("tests.edge.member", log, settings) as process:
        yield Member(process, log)


def kill_payments(server: Server) -> None:
    """Kill -9 of all its processes."""
    workers = server.workers()
    server.process.kill()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    until(lambda: all(not Path(f"/proc/{pid}").exists() for pid in workers))


def settled(one: Member, timeout_s: float = 60) -> dict[str, Any]:
    """Its status once everything that it has is delivered and its viewers are gone."""
    deadline_s = time.monotonic() + timeout_s
    while (status := one.status())["pending"]:
        assert time.monotonic() < deadline_s, status
        time.sleep(0.1)
    return status


def credited(server: Server) -> dict[str, dict[str, Any]]:
    """Every session as Payments has it, by id."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        page = server.get("/api/sessions", limit=2000, **({"cursor": cursor} if cursor else {}))
        for each in page["sessions"]:
            assert each["session_id"] not in found
            found[each["session_id"]] = each
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def check_credits(server: Server, stays: Mapping[str, Viewing], heartbeat_s: float = HEARTBEAT_S) -> float:
    """Each session ended, once, with its true time: to 50 ms, or one heartbeat less where its edge was killed.

    The largest difference of those that were not cut, in milliseconds.
    """
    found = credited(server)
    assert found.keys() == stays.keys()
    off_ms = [0.0]
    for name, stay in stays.items():
        true_ms = stay.ended_ms - stay.begun_ms
        check_time(found[name], true_ms, true_ms, cut=stay.cut, heartbeat_s=heartbeat_s)
        if not stay.cut:
            off_ms.append(abs(true_ms - found[name]["billed_ms"]))
    return max(off_ms)


def check_time(
    session: dict[str, Any], least_ms: float, most_ms: float, *, cut: bool, heartbeat_s: float, lag_ms: float = 0
) -> None:
    """It has ended, once, with a time that was at least this and at most that; ``cut``: up to one heartbeat less.

    ``lag_ms``: how long the machine may have kept its edge from noting a moment.
    """
    assert (session["status"], session["incarnation"], session["unbilled_ms"]) == ("ended", 1, {}), session
    # With heartbeats this short, what an edge allows for noticing that one is due is soon gone on a busy machine.
    hasty_ms = 500 if heartbeat_s < 5 else 0
    missing_ms = lag_ms + (heartbeat_s * 1000 + hasty_ms if cut else 50)
    about = (least_ms, most_ms, cut, lag_ms, session)
    assert least_ms - missing_ms <= session["billed_ms"] <= most_ms + 50 + lag_ms, about
