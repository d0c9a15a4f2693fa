"""A sweeper in this process, with its own store and registry."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from payments.clock import now_ms
from payments.domain.readings import PowerState
from payments.registry import Registry
from payments.settings import Settings
from payments.store import Store, open_store
from payments.worker_status import SweepStatus
from tests.harness import state_of
from tests.worker.process import register, register_urls
from worker.dial import BoundedAdapter
from worker.power import PowerAnswer, ask
from worker.sweep import Sweeper

NO_ENV_FILE = Path("no-such-folder/.env")


class Sweeping:
    """A sweeper on ``folder``.

    Attributes:
        sweeper, store, registry: open objects under test; ``stopping``: the sweeper's event.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.settings = some_settings(folder / "data", **settings)
        self.registry = Registry(self.settings.registry_path, now_ms)
        self.store: Store = open_store(self.settings, self.registry.attribution)
        self.stopping = threading.Event()
        self.sweeper = Sweeper(self.settings, self.store, self.registry, now_ms, self.stopping)

    def sweep(self, *records: Mapping[str, Any]) -> SweepStatus:
        """Ask ``records``, or those already in the registry."""
        if records:
            register(self.folder, *records)
        report = self.sweeper.sweep()
        assert report is not None
        return report

    def sweep_urls(self, **urls: str) -> dict[str, PowerState]:
        """Ask orchestrators at these addresses; return their power."""
        register_urls(self.folder, **urls)
        self.sweep()
        return self.power()

    def power(self) -> dict[str, PowerState]:
        return dict(state_of(self.store).power)

    def close(self) -> None:
        self.sweeper.close()
        self.store.close()


def some_settings(data: Path, **settings: Any) -> Settings:
    """Default settings on a data folder, with ``settings``."""
    defaults = Settings.load(NO_ENV_FILE)
    values = {name: getattr(defaults, name) for name in Settings.__dataclass_fields__}
    paths = {name: data / value.relative_to("/app/data") for name, value in values.items() if isinstance(value, Path)}
    return Settings(**{**values, **paths, **settings})


@contextmanager
def sweeping(folder: Path, **settings: Any) -> Iterator[Sweeping]:
    """Sweeps with the defaults, a time-out of one second, and ``settings``."""
    running = Sweeping(folder, {"power_timeout_s": 1, **settings})
    try:
        yield running
    finally:
        running.close()


def ask_once(url: str, timeout_s: float = 1) -> PowerAnswer:
    """The reading of the host at ``url``, without a sweep."""
    adapter = BoundedAdapter(pool_connections=1, pool_maxsize=1)
    try:
        return ask(adapter, url, timeout_s)
    finally:
        adapter.close()
