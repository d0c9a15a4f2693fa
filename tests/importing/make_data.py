"""Writes ``data``: a small data folder of livepeer-ops, made by its own code.

Made with livepeer-ops at commit fb7a07b (2026-03-22): its ``Ledger``, ``SessionStore``, ``PowerMeterStore`` and
``Registry`` tell a story that ends at ``END``. Only the clock is ours, and what the registry imports for the chain is
left out. To make it again::

    git clone https://github.com/its-DeFine/livepeer-ops CLONE && git -C CLONE checkout fb7a07b
    python tests/importing/make_data.py CLONE
"""

import shutil
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

DATA = Path(__file__).parent / "data"
END = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
RATE = Decimal("0.0001")
SEGMENT_S = 2400


class StoryClock(datetime):
    """A clock at the current time of the story."""

    at: datetime = END

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return cls.at


def minutes_before_end(minutes: float) -> datetime:
    StoryClock.at = END - timedelta(minutes=minutes)
    return StoryClock.at


def their(name: str) -> Any:
    module: Any = import_module(f"payments.{name}")
    module.datetime = StoryClock
    return module


def tell(folder: Path) -> None:
    """Tell the story."""
    for name, stub in {"web3": {"Web3": object}, "payments.config": {"PaymentSettings": object}}.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(stub)
    sys.modules["payments.orchestrators"] = ModuleType("payments.orchestrators")
    vars(sys.modules["payments.orchestrators"]).update(
        fetch_orchestrator_addresses=list, fetch_top_orchestrators_onchain=list
    )
    minutes_before_end(60 * 24 * 30)
    ledger = their("ledger").Ledger(folder / "balances.json", folder / "audit" / "ledger-events.log")
    settings = SimpleNamespace(audit_log_path=folder / "registry.log", address_denylist=[])
    registry = their("registry").Registry(folder / "registry.json", settings, ledger)
    register(registry)
    earn_by_hand(ledger)
    watch(their("sessions").SessionStore(folder / "sessions.json"), ledger)
    meter(their("power_meter").PowerMeterStore(folder / "power_meter.json"), ledger)
    (folder / "registry.log").unlink()


def register(registry: Any) -> None:
    """One orchestrator of each kind: normal, not among the top, cooling down, without a host."""
    for orchestrator_id, digit, metadata in (
        ("orch-a", "1", {"host_public_ip": "203.0.113.10", "host_name": "a.example", "capability": "vtuber"}),
        ("orch-b", "2", {"host_public_ip": "203.0.113.20", "is_top_100": False}),
        ("orch-c", "3", {"host_public_ip": "203.0.113.30", "health_url": "http://203.0.113.30:9000/health"}),
        ("orch-d", "4", {"contact_email": "d@example.com", "health_timeout": 2.5}),
    ):
        registry.register(orchestrator_id, f"0x{digit * 40}", metadata, skip_rank_validation=True)
    minutes_before_end(30)
    registry.set_cooldown("orch-c", 3600)


def earn_by_hand(ledger: Any) -> None:
    """Workloads, a payout, a correction below zero, and a credit whose journal line was lost."""
    minutes_before_end(60 * 24)
    ledger.credit("orch-d", Decimal("0.000005353596") / 7, reason="workload", metadata={"workload_id": "w-1"})
    ledger.credit("orch-d", Decimal("2.5"), reason="workload", metadata={"workload_id": "w-2"})
    ledger.set_balance("orch-d", Decimal("0.5"), reason="payout", metadata={"tx_hash": f"0x{'ab' * 32}"})
    ledger.credit("orch-c", Decimal("-0.25"), reason="adjustment", metadata={"notes": "twice"})
    ledger.credit("orch-b", Decimal(1), reason="adjustment")
    ledger.set_balance("orch-b", Decimal(0), reason="payout")
    journal, ledger.journal_path = ledger.journal_path, None
    ledger.credit("orch-d", Decimal("0.125"), reason="workload")
    ledger.journal_path = journal


def watch(store: Any, ledger: Any) -> None:
    """Sessions: ended, open, silent, and without an orchestrator."""
    for session_id, orchestrator_id, addr, begun, seen, ended in (
        ("s-ended", "orch-a", "203.0.113.10", 180, 100.5, 100.123),
        ("s-silent", "orch-a", "203.0.113.10", 170, 160, None),
        ("s-open", "orch-a", "203.0.113.10", 55.00007, 0.25, None),
        ("s-nobody", None, "198.51.100.1", 10, 0.3, None),
    ):
        story = [(begun, "start"), (seen, "heartbeat"), *([(ended, "end")] if ended is not None else [])]
        for minutes, event in story:
            store.apply_event(
                session_id=session_id, event=event, now=minutes_before_end(minutes), orchestrator_id=orchestrator_id,
                upstream_addr=addr, upstream_port=8888, edge_id="edge-a", streamer_id="avatar-1",
                segment_seconds=SEGMENT_S, credit_eth_per_minute=RATE, ledger=ledger,
            )  # fmt: skip


def meter(store: Any, ledger: Any) -> None:
    """Hosts: awake, asleep, and not read for long."""
    for orchestrator_id, state, minutes in (
        ("orch-b", "awake", 500), ("orch-a", "awake", 2.5), ("orch-c", "sleeping", 1.5), ("orch-a", "awake", 1.49),
    ):  # fmt: skip
        store.record_state(
            orchestrator_id, state=state, now=minutes_before_end(minutes), credit_eth_per_minute=RATE / 3,
            credit_unit="eth", ledger=ledger, max_gap_seconds=180,
        )  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    shutil.rmtree(DATA, ignore_errors=True)
    (DATA / "audit").mkdir(parents=True)
    tell(DATA)
