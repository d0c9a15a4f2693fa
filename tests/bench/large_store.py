"""``python -m tests.bench.large_store FOLDER``: makes a large data folder for trying an operator's commands.

By default 1,000 orchestrators, 50,000 sessions and 2,000,000 entries, the same each time.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from payments.domain.commands import Command
from payments.domain.ledger import Adjustment, Payout
from payments.domain.readings import AWAKE, Reading
from payments.domain.sessions import END, HEARTBEAT, START, SessionEvent
from tests.disk.scripted import HastyDisk
from tests.harness import TERMS, Clock, file_store

BEGIN_MS = 1_790_000_000_000
STEP_MS = 15_000
_GROUP = 1_000


def make(folder: Path, entries: int, sessions: int, orchestrators: int) -> None:
    """Write ``entries`` entries with a store on ``folder``, and leave the folder as the API and the worker would."""
    hosts = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(orchestrators)]
    names = [f"orch-{number:04d}" for number in range(orchestrators)]
    folder.mkdir(parents=True)
    records = [
        {"orchestrator_id": name, "host_public_ip": host, "address": f"0x{number:040x}"}
        for number, (name, host) in enumerate(zip(names, hosts, strict=True), start=1)
    ]
    (folder / "registry.json").write_text(json.dumps({"orchestrators": records}, indent=1))
    terms = TERMS._replace(
        attribution=dict(zip(hosts, names, strict=True)), power_rate_wei_per_minute=10**13, power_max_gap_ms=10**10
    )
    clock = Clock(BEGIN_MS)
    store = file_store(folder, terms, clock, HastyDisk(), segment_bytes=1 << 28)
    group: list[Command] = []
    for command in _commands(entries, sessions, hosts, names, clock):
        group.append(command)
        if len(group) == _GROUP:
            store.execute(group)
            group = []
    store.execute(group)
    store.maintain()
    store.close()


def _commands(entries: int, sessions: int, hosts: list[str], names: list[str], clock: Clock) -> Iterator[Command]:
    """Sessions one after another, some thousand at a time, with a few readings, corrections and payouts."""
    chance = random.Random(2026)
    per_session = max(3, round(entries * 0.95) // sessions)
    live: list[tuple[str, str, int]] = []
    opened = 0
    for count in range(entries):
        clock.now_ms += STEP_MS // max(1, len(live) or 1)
        name = chance.choice(names)
        if chance.random() < 0.05:
            yield _rare(count, name, chance, clock.now_ms)
        elif opened < sessions and len(live) < min(5_000, sessions):
            session_id, host = f"session-{opened:06d}", chance.choice(hosts)
            opened += 1
            live.append((session_id, host, 1))
            yield SessionEvent(session_id, START, clock.now_ms, host, 8888, f"edge-{opened % 20}", f"streamer-{opened}")
        else:
            number = chance.randrange(len(live))
            session_id, host, told = live[number]
            live[number] = session_id, host, told + 1
            is_over = told + 1 >= per_session and opened < sessions
            if is_over:
                live[number] = live[-1]
                live.pop()
            yield SessionEvent(session_id, END if is_over else HEARTBEAT, clock.now_ms, host)


def _rare(count: int, name: str, chance: random.Random, now_ms: int) -> Command:
    kind = chance.random()
    if kind < 0.98:
        return Reading(name, AWAKE if chance.random() < 0.9 else "sleeping", now_ms)
    if kind < 0.99:
        return Adjustment(name, 10**15, f"bonus-{count}", "for patience")
    return Payout(name, 1, f"0x{count:064x}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entries", type=int, default=2_000_000)
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--orchestrators", type=int, default=1_000)
    make(**vars(parser.parse_args()))
