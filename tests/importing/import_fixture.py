"""A folder of livepeer-ops, and a Payments to import it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from payments.domain.times import parse_time
from payments.importing import ExistingState, ImportPlan, carry_out, make_plan, read_folder
from payments.registry import Registry
from payments.settings import Settings
from payments.store import Store
from payments.store.memory import MemoryStore
from tests.disk.scripted import HastyDisk
from tests.harness import TERMS, Clock

DATA = Path(__file__).parent / "data"
END_MS = parse_time("2026-01-31T12:00:00.123Z")
NOW_MS = END_MS + 15_000
RATE = "0.0001"


def copy_data(folder: Path) -> Path:
    """A copy of livepeer-ops' folder that tests may change."""
    theirs = folder / "livepeer-ops"
    shutil.copytree(DATA, theirs)
    return theirs


def edit(theirs: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Apply ``change`` to the document ``name``; it may change it or return another."""
    document = json.loads((theirs / name).read_text())
    changed = change(document)
    (theirs / name).write_text(json.dumps(document if changed is None else changed))


def load_settings(folder: Path, **values: object) -> Settings:
    """Settings with the data folder ``folder``, and ``values`` by their names without ``PAYMENTS_``."""
    environment = {
        "PAYMENTS_DATA_DIR": str(folder),
        "PAYMENTS_POWER_METER_ENABLED": "true",
        "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": RATE,
        **{f"PAYMENTS_{name}": str(value) for name, value in values.items()},
    }
    with patch.dict(os.environ, environment):
        return Settings.load(folder / "no.env")


class ImportFixture:
    """Payments on ``folder``, with a stopped clock.

    Attributes:
        clock: stopped at ``NOW_MS``; ``store``: the reference engine.
    """

    def __init__(self, folder: Path, **values: object) -> None:
        self.settings = load_settings(folder, **values)
        self.clock = Clock(NOW_MS)
        self.registry = Registry(self.settings.registry_path, self.clock, HastyDisk())
        terms = TERMS._replace(
            rate_wei_per_minute=self.settings.session_rate_wei_per_minute,
            max_gap_ms=self.settings.session_max_gap_s * 1000,
            max_event_age_ms=self.settings.session_max_event_age_s * 1000,
        )
        self.store: Store = MemoryStore(lambda: terms._replace(attribution=self.registry.attribution()), self.clock)

    def plan(self, theirs: Path = DATA) -> ImportPlan:
        """What an import of ``theirs`` would do now."""
        here = ExistingState(self.registry.records(), self.store)
        return make_plan(read_folder(theirs, self.settings), here, self.settings, self.clock())

    def take_over(self, theirs: Path = DATA) -> ImportPlan:
        """Import ``theirs``."""
        plan = self.plan(theirs)
        carry_out(plan, self.registry, self.store)
        return plan


def actions(plan: ImportPlan, what: str) -> dict[str, str]:
    """Action of each item of a kind, by id."""
    return {item.id: item.action for item in plan.items if item.what == what}


def details(plan: ImportPlan, what: str) -> dict[str, str]:
    """Detail of each item of a kind, by id."""
    return {item.id: item.detail for item in plan.items if item.what == what}
