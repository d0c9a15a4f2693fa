"""What an orchestrator earned, and was paid, by day (UTC) and reason: sums over the entries that say so."""

from typing import Any

from payments.domain.money import format_eth
from payments.domain.times import format_time
from payments.store import EntryQuery, Store

_DAY_MS = 86_400_000
_CLOCK_ERROR_MS = _DAY_MS
"""Entries are in the order of their recording; how far a clock that is wrong for a while may put their times off."""

_MOST_ENTRIES = 10_000


def first_day_ms(now_ms: int, days: int) -> int:
    """When the first of the last ``days`` days began, today included."""
    return max(0, now_ms // _DAY_MS - days + 1) * _DAY_MS


def sum_up(store: Store, orchestrator_id: str, since_ms: int, before: str | None) -> dict[str, Any]:
    """The sums of as many entries before the cursor ``before`` as one call may look at, and where to go on.

    Nothing else is kept that they could be had from: the entries are the truth, and a month may have a million.
    """
    page = store.entries(EntryQuery(orchestrator_id, since_ms=since_ms), before=before, limit=_MOST_ENTRIES)
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in page.items:
        if entry.delta_wei is not None:
            row = format_time(entry.timestamp_ms)[:10], entry.reason
            count, delta_wei = sums.get(row, (0, 0))
            sums[row] = count + 1, delta_wei + entry.delta_wei
    after = page.before
    if after is not None:
        older = store.entries(EntryQuery(), before=after, limit=1).items
        if older and older[0].timestamp_ms < since_ms - _CLOCK_ERROR_MS:
            after = None
    return {
        "orchestrator_id": orchestrator_id,
        "since": format_time(since_ms),
        "stats": [
            {"day": day, "reason": reason, "entries": count, "delta": format_eth(delta_wei)}
            for (day, reason), (count, delta_wei) in sorted(sums.items(), reverse=True)
        ],
        "complete": after is None,
        "next_cursor": after,
    }
