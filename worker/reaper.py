"""Looks after the sessions: closes those whose end was lost, forgets those that ended long ago."""

import logging

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.retention import CloseStale
from payments.settings import Settings
from payments.store import Store

log = logging.getLogger(__name__)

_GROUP = 500
"""So many at a time, so that no event waits long for its turn behind them."""


def close_and_purge(store: Store, settings: Settings, now_ms: int) -> None:
    """Do what is due at ``now_ms``. Raises ``Unavailable`` and ``Corrupt``; the rest is then due the next time."""
    reaped = forgotten = 0
    while due := store.due(now_ms, settings.session_reap_s * 1000, settings.session_keep_s * 1000, _GROUP):
        for command, result in zip(due, store.execute(due), strict=True):
            if isinstance(result, Outcome) and result.kind == RECORDED:
                reaped += isinstance(command, CloseStale)
                forgotten += not isinstance(command, CloseStale)
    if reaped or forgotten:
        log.info("sessions looked after", extra={"reaped": reaped, "forgotten": forgotten})
