"""Where entries live: the only way to write, and the ways to read.

``engine_of`` is the only place that chooses an engine: it says where the ledger of some settings is, open or not.
``open_store`` opens it. Nothing above this room knows of paths, offsets, lines or locks (``tests/test_import_map.py``).

Always true, whatever the engine (``tests/store/test_contract.py``):

* an entry is durable before any answer that depends on it;
* ``seq`` counts 1, 2, 3 … without a hole, over all processes that share the store;
* the state is what ``domain.evolve`` makes of the entries, nothing else.

Not here: what commands become (``payments.domain``), who the orchestrators are (``payments.registry``).

Modules:

``protocol``  what every engine offers
``queries``   queries over a state in memory
``memory``    the reference engine, for tests and trials: a list in memory
``file``      the embedded engine: files on a local disk
"""

from collections.abc import Callable, Mapping

from payments.clock import now_ms
from payments.domain.decisions import Terms
from payments.settings import Settings
from payments.store.file.engine import FileEngine
from payments.store.file.snapshot import Paths
from payments.store.protocol import (
    Commit,
    Engine,
    EntryQuery,
    Lease,
    Observer,
    Page,
    Restored,
    Result,
    SessionQuery,
    Store,
    Verified,
    unobserved,
)

__all__ = [
    "Commit",
    "Engine",
    "EntryQuery",
    "Lease",
    "Observer",
    "Page",
    "Restored",
    "Result",
    "SessionQuery",
    "Store",
    "Verified",
    "engine_of",
    "open_store",
]


def engine_of(settings: Settings) -> Engine:
    """The engine that ``settings`` choose; opens and changes nothing."""
    projections = Paths(settings.sessions_path, settings.balances_path, settings.power_meter_path)
    return FileEngine(settings.ledger_journal_path, projections, settings.credit_unit, settings.journal_segment_bytes)


def open_store(
    settings: Settings, attribution: Callable[[], Mapping[str, str]], observe: Observer = unobserved
) -> Store:
    """Recover and open the store that ``settings`` choose. Raises ``Corrupt``, ``Misconfigured``, ``Unavailable``.

    Args:
        settings: location, rates and limits.
        attribution: returns the current orchestrator ids by ``host_public_ip``.
        observe: called with every commit.
    """
    latest = Terms(
        rate_wei_per_minute=settings.session_rate_wei_per_minute,
        credit_unit=settings.credit_unit,
        max_gap_ms=settings.session_max_gap_s * 1000,
        max_event_age_ms=settings.session_max_event_age_s * 1000,
        keep_ms=settings.session_keep_s * 1000,
        require_awake=settings.session_require_awake,
        power_rate_wei_per_minute=settings.power_rate_wei_per_minute,
        power_max_gap_ms=settings.power_max_gap_s * 1000,
    )

    def terms() -> Terms:
        nonlocal latest
        if (known := attribution()) is not latest.attribution:
            latest = latest._replace(attribution=known)
        return latest

    return engine_of(settings).open(terms, now_ms, observe)
