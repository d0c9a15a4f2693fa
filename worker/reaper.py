"""Closes sessions whose end was lost, and purges sessions that ended long ago (rule 4.14)."""

import logging

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.retention import CloseStale
from payments.settings import Settings
from payments.store import Store

log = logging.getLogger(__name__)

_GROUP = 500
"""Commands in one group: few enough that no event waits long for its commit."""


def close_and_purge(store: Store, settings: Settings, now_ms: int) -> None:
    """Close and purge what is due at ``now_ms``. Raises ``Unavailable`` and ``Corrupt``; the rest stays due."""
    closed = purged = 0
    while due := store.due(now_ms, settings.session_reap_s * 1000, settings.session_keep_s * 1000, _GROUP):
        for command, result in zip(due, store.execute(due), strict=True):
            if isinstance(result, Outcome) and result.kind == RECORDED:
                closed += isinstance(command, CloseStale)
                purged += not isinstance(command, CloseStale)
    if closed or purged:
        log.info("sessions closed or purged", extra={"closed": closed, "purged": purged})
