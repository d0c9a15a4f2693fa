"""Processes of ``member.py``, as tests see them, and what Payments made of their sessions."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness import ROOT, Server, until

HEARTBEAT_S = 1


class Viewing(NamedTuple):
    """A viewer's stay, as it truly was: milliseconds since the epoch; ``cut``: ended by the death of its edge."""

    begun_ms: float
    ended_ms: float
    cut: bool = False


class Member:
    """A process with a reporter. Attributes: ``log``, the file of what it logs."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.log = log
        self.process = process
        assert self._read() == "ready", log.read_text()

    def open(self, count: int) -> dict[str, float]:
        """So many viewers come: when, by session."""
        answer: dict[str, float] = self._ask(open=count)
        return answer

    def end(self, sessions: list[str]) -> dict[str, float]:
        """Those viewers leave: when, by session."""
        answer: dict[str, float] = self._ask(end=sessions)
        return answer

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask(status=None)
        return answer

    def close(self, timeout_s: float) -> bool:
        answer: bool = self._ask(close=timeout_s)
        assert self.process.wait(timeout=30) == 0, self.log.read_text()
        return answer

    def kill(self) -> None:
        """Nothing of it runs any more."""
        self.process.kill()
        self.process.wait()

    def _ask(self, **command: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(command)}\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return json.loads(line)


@contextmanager
def member(folder: Path, url: str, **settings: str) -> Iterator[Member]:
    """A process with a reporter whose spool is in ``folder``; gone at the end, whatever happens."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")}
    environment |= {
        "PAYMENTS_API_URL": url,
        "PAYMENTS_SESSION_TOKEN": Server.REPORTER,
        "PAYMENTS_SESSION_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
        "PAYMENTS_EDGE_ID": "edge-a",
        "PAYMENTS_SPOOL_DIR": str(folder / "spool"),
        **settings,
    }
    log = folder / "member.log"
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "tests.edge.member"],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        try:
            yield Member(process, log)
        finally:
            process.kill()
            process.wait()


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
    worst_ms = 0.0
    for name, stay in stays.items():
        session = found[name]
        true_ms = stay.ended_ms - stay.begun_ms
        missing_ms = true_ms - session["billed_ms"]
        assert (session["status"], session["incarnation"], session["unbilled_ms"]) == ("ended", 1, {}), session
        if stay.cut:
            # Its edge needs a moment to notice that a heartbeat is due, and to write it down.
            assert -50 <= missing_ms <= heartbeat_s * 1000 + 500, (stay, session)
        else:
            assert abs(missing_ms) <= 50, (stay, session)
            worst_ms = max(worst_ms, abs(missing_ms))
    return worst_ms
