"""Where entries live: the one way to write, and the ways to read.

``open_store`` is the only place that chooses an engine; ``open_export`` reads its journal from end to end,
``open_verification`` holds it against itself, ``open_backup`` copies it, and ``restore`` puts such a copy in its place.
Nothing above this room knows of paths, offsets, lines or locks. May
import ``payments.domain``, ``payments.settings``, ``payments.disk`` and ``payments.errors``.

Always true, whatever the engine (``tests/store/test_contract.py``):

* an entry is durable before the answer that rests on it is given, and an answer never rests on anything less;
* ``seq`` counts 1, 2, 3 … without a hole, over all processes that share the store;
* the state is what ``domain.evolve`` makes of the entries, nothing else.

Not here: what commands become (``payments.domain``) and who the orchestrators are (``payments.registry``).
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from payments.clock import now_ms
from payments.disk import Disk
from payments.domain.decisions import Terms
from payments.settings import Settings
from payments.store.file.backup import Backup, Restoration, Restored
from payments.store.file.export import Export
from payments.store.file.snapshot import Paths
from payments.store.file.store import FileStore
from payments.store.file.verify import Verification, Verified
from payments.store.protocol import Commit, Execution, Observer, Page, Query, Result, Store, unobserved

__all__ = [
    "Commit",
    "Execution",
    "Observer",
    "Page",
    "Query",
    "Result",
    "Store",
    "Verified",
    "open_backup",
    "open_export",
    "open_restoration",
    "open_store",
    "open_verification",
    "restore",
]


def open_store(
    settings: Settings, attribution: Callable[[], Mapping[str, str]], observe: Observer = unobserved
) -> Store:
    """The store that ``settings`` name, recovered and ready.

    ``attribution`` gives the orchestrator id by ``host_public_ip`` as it is at the moment of asking; ``observe`` is
    told of every commit. Raises ``Corrupt``, ``Misconfigured`` and ``Unavailable``.
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

    return FileStore(
        settings.ledger_journal_path,
        _projections(settings),
        terms,
        now_ms,
        credit_unit=settings.credit_unit,
        segment_bytes=settings.journal_segment_bytes,
        observe=observe,
    )


def open_export(settings: Settings) -> Export:
    """The journal that ``settings`` name, to be read from end to end, whether or not anything runs beside it.

    Whoever asked for it closes it. Raises ``Misconfigured``, ``Unavailable`` and ``Corrupt``.
    """
    return Export(Disk(), settings.ledger_journal_path, _projections(settings))


def open_verification(settings: Settings) -> Verification:
    """The journal that ``settings`` name, to be held against itself and its projections, beside whatever runs.

    Whoever asked for it closes it. Raises ``Unavailable``.
    """
    return Verification(Disk(), settings.ledger_journal_path, _projections(settings))


def open_backup(settings: Settings, documents: Mapping[str, Path]) -> Backup:
    """The journal that ``settings`` name, and ``documents`` by their names in a backup, to be copied beside what runs.

    Whoever asked for it closes it. Raises ``Misconfigured`` and ``Corrupt``.
    """
    return Backup(Disk(), settings.ledger_journal_path, documents)


def open_restoration(folder: Path, documents: Mapping[str, Path]) -> Restoration:
    """The backup in ``folder``, to be put back; ``documents``: where those go that are in it, by their names there.

    Whoever asked for it closes it. Raises ``Misconfigured``.
    """
    return Restoration(Disk(), folder, documents)


def restore(settings: Settings, restoration: Restoration) -> Restored:
    """Put it in place of the journal that ``settings`` name. Raises ``Unavailable`` and ``Corrupt``."""
    return restoration.run(settings.ledger_journal_path, _projections(settings))


def _projections(settings: Settings) -> Paths:
    return Paths(settings.sessions_path, settings.balances_path, settings.power_meter_path)
