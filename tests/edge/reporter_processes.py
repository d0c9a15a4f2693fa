"""Controls processes of ``reporter_process``, and compares Payments' sessions with the truth."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.edge.line_processes import LineProcess, running_line_process
from tests.harness import Server, until

HEARTBEAT_S = 1


class Span(NamedTuple):
    """Start and end of an action, in milliseconds since the epoch."""

    before_ms: float
    after_ms: float


class Viewing(NamedTuple):
    """The true stay of a viewer. ``cut``: ended by the death of its edge."""

    begun: Span
    ended: Span
    cut: bool = False


class ReporterProcess(LineProcess):
    """A process with a reporter."""

    def open(self, count: int) -> dict[str, Span]:
        """Let so many viewers come; return when, by session."""
        return _moments(self.ask(open=count))

    def end(self, sessions: list[str]) -> dict[str, Span]:
        """Let these viewers leave; return when, by session."""
        return _moments(self.ask(end=sessions))

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(status=None)
        return answer

    def close(self, timeout_s: float) -> bool:
        answer: bool = self.ask(close=timeout_s)
        assert self.process.wait(timeout=30) == 0, self.log.read_text()
        return answer


def _moments(said: Mapping[str, tuple[float, float]]) -> dict[str, Span]:
    return {session: Span(*each) for session, each in said.items()}


@contextmanager
def running_reporter(folder: Path, url: str, **settings: str) -> Iterator[ReporterProcess]:
    """A process with a reporter whose spool is in ``folder``; always stopped at the end."""
    settings = {
        "PAYMENTS_API_URL": url,
        "PAYMENTS_SESSION_TOKEN": Server.REPORTER,
        "PAYMENTS_SESSION_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
        "PAYMENTS_EDGE_ID": "edge-a",
        "PAYMENTS_SPOOL_DIR": str(folder / "spool"),
        **settings,
    }
    log = folder / "reporter.log"
    with running_line_process("tests.edge.reporter_process", log, settings) as process:
        yield ReporterProcess(process, log)


def kill_payments(server: Server) -> None:
    """Kill -9 of all its processes."""
    workers = server.workers()
    server.process.kill()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    until(lambda: all(not Path(f"/proc/{pid}").exists() for pid in workers))


def settled(one: ReporterProcess, timeout_s: float = 60) -> dict[str, Any]:
    """Wait until everything is delivered and all viewers are gone; return the status."""
    deadline_s = time.monotonic() + timeout_s
    while (status := one.status())["pending"]:
        assert time.monotonic() < deadline_s, status
        time.sleep(0.1)
    return status


def credited(server: Server) -> dict[str, dict[str, Any]]:
    """All sessions of Payments, by id."""
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


def check_credits(server: Server, stays: Mapping[str, Viewing]) -> None:
    """Check that each session ended once with its true time, to 50 ms, or one heartbeat less if its edge was killed."""
    found = credited(server)
    assert found.keys() == stays.keys()
    for name, stay in stays.items():
        least_ms = stay.ended.before_ms - stay.begun.after_ms
        most_ms = stay.ended.after_ms - stay.begun.before_ms
        check_time(found[name], least_ms, most_ms, cut=stay.cut, heartbeat_s=HEARTBEAT_S)
    # No call blocked, except while the machine was busy.
    assert median(stay.begun.after_ms - stay.begun.before_ms for stay in stays.values()) < 10


def check_time(
    session: dict[str, Any], least_ms: float, most_ms: float, *, cut: bool, heartbeat_s: float, lag_ms: float = 0
) -> None:
    """Check that it ended once, with a time within these bounds; ``cut``: up to one heartbeat less.

    ``lag_ms``: how late its edge may have taken timestamps.
    """
    assert (session["status"], session["incarnation"], session["unbilled_ms"]) == ("ended", 1, {}), session
    # With heartbeats this short, a busy machine soon exceeds an edge's margin for sending them in time.
    hasty_ms = 500 if heartbeat_s < 5 else 0
    missing_ms = lag_ms + (heartbeat_s * 1000 + hasty_ms if cut else 50)
    about = (least_ms, most_ms, cut, lag_ms, session)
    assert least_ms - missing_ms <= session["billed_ms"] <= most_ms + 50 + lag_ms, about
