"""``python -m tests.bench.operator FOLDER``: how long an operator waits on a data folder made by ``large_store``.

Each listing call of the API is made repeatedly, and page by page, on its own server; each command runs once, in its
own process. The files are read once before, so that the disk does not matter.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import requests

from tests.harness import Server, running_server

PAGES = 8
LISTINGS = (
    "/api/orchestrators", "/api/orchestrators?limit=1000", "/api/orchestrators/orch-0007",
    "/api/sessions", "/api/sessions?limit=1000", "/api/sessions?status=active", "/api/sessions?status=ended",
    "/api/sessions?status=stale", "/api/sessions?edge_id=edge-7", "/api/sessions?edge_id=nobody",
    "/api/sessions?orchestrator_id=orch-0007", "/api/sessions?orchestrator_id=nobody", "/api/sessions/session-000000",
    "/api/ledger/events", "/api/ledger/events?limit=1000", "/api/ledger/events?reason=session_time",
    "/api/ledger/events?reason=payout", "/api/ledger/events?reason=nothing",
    "/api/ledger/events?orchestrator_id=orch-0007", "/api/ledger/events?orchestrator_id=nobody",
    "/api/ledger/events?session_id=session-000000", "/api/ledger/events?session_id=session-049999",
    "/api/ledger/events?since=2026-09-21T00:00:00Z", "/api/ledger/events?until=2026-09-21T14:20:00Z",
    "/api/ledger/events?until=2020-01-01T00:00:00Z", "/api/ledger/balances", "/api/ledger/balances?limit=1000",
    "/api/power", "/api/power?limit=1000", "/api/orchestrators/orch-0007/stats",
)  # fmt: skip
COMMANDS = (
    "orchestrators list", "sessions list", "sessions show session-000000", "sessions explain session-000000",
    "sessions explain session-049999", "ledger balances", "ledger events", "ledger events --reason payout",
    "ledger events --orchestrator orch-0007", "ledger events --session session-000000",
    "ledger events --until 2026-09-21T14:20:00Z", "payouts prepare --output /dev/null", "ledger verify",
    "ledger export --format csv --output /dev/null", "ledger export --format jsonl --output /dev/null",
    "ledger export --format hledger --output /dev/null", "ledger export --format beancount --output /dev/null",
)  # fmt: skip


class Waited(NamedTuple):
    """Times of the pages of a listing in milliseconds: longest and median; and their number.

    Attributes:
        is_whole: the last page was reached.
    """

    longest_ms: float
    median_ms: float
    pages: int
    is_whole: bool


def listings(folder: Path) -> Iterator[tuple[str, Waited]]:
    """Each listing call, on a server that has the large store to itself."""
    with running_server(folder.parent, {"PAYMENTS_DATA_DIR": str(folder)}) as server, requests.Session() as session:
        session.headers["X-Admin-Token"] = server.ADMIN
        for path in LISTINGS:
            yield path, _waited(session, server, path)


def _waited(session: requests.Session, server: Server, path: str) -> Waited:
    taken_ms = []
    cursor: Any = None
    for _ in range(PAGES):
        separator = "&" if "?" in path else "?"
        url = f"{server.url}{path}" + (f"{separator}cursor={cursor}" if cursor else "")
        begun_s = time.perf_counter()
        answer = session.get(url, timeout=60)
        taken_ms.append((time.perf_counter() - begun_s) * 1000)
        answer.raise_for_status()
        cursor = answer.json().get("next_cursor")
        if not cursor:
            break
    return Waited(max(taken_ms), sorted(taken_ms)[len(taken_ms) // 2], len(taken_ms), not cursor)


class Ran(NamedTuple):
    """Cost of a command: seconds, and peak memory in MiB."""

    seconds: float
    peak_mib: float


def commands(folder: Path) -> Iterator[tuple[str, Ran]]:
    """Run each command, alone on the files."""
    environment = {**os.environ, "PAYMENTS_DATA_DIR": str(folder)}
    for command in COMMANDS:
        yield command, _ran(command, environment)


def _ran(command: str, environment: Mapping[str, str]) -> Ran:
    program = Path(sys.executable).with_name("payments")
    begun_s = time.perf_counter()
    process = subprocess.Popen([program, *command.split()], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"payments {command} ended with {process.returncode}")
    return Ran(seconds, usage.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["listings", "commands"])
    given = parser.parse_args()
    folder = given.folder.resolve()
    for path in (each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    if given.only != "commands":
        for path, waited in listings(folder):
            more = "" if waited.is_whole else ", and more"
            sys.stdout.write(
                f"{path:60} {waited.median_ms:7.1f} ms, at most {waited.longest_ms:7.1f} ms, "
                f"of {waited.pages} pages{more}\n"
            )
            sys.stdout.flush()
    if given.only != "listings":
        for command, ran in commands(folder):
            sys.stdout.write(f"payments {command:60} {ran.seconds:6.1f} s {ran.peak_mib:6.0f} MiB\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
