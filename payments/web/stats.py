"""What an orchestrator earned and was paid, by day (UTC) and reason: sums over entries."""

from typing import Any

from payments.domain.money import format_eth
from payments.domain.times import format_time
from payments.store import EntryQuery, Store

_DAY_MS = 86_400_000
_CLOCK_ERROR_MS = _DAY_MS
"""Entries are in recording order; a wrong clock may misplace their times by this much."""

_MAX_ENTRIES = 10_000


def first_day_ms(now_ms: int, days: int) -> int:
    """Start of the first of the last ``days`` days, today included, in UTC."""
    return max(0, now_ms // _DAY_MS - days + 1) * _DAY_MS


def sum_up(store: Store, orchestrator_id: str, since_ms: int, before: str | None) -> dict[str, Any]:
    """Sums over the entries before the cursor ``before``, as many as one call may read, and the next cursor.

    No sums are stored: a month may have a million entries, so a caller adds up the answers.
    """
    page = store.entries(EntryQuery(orchestrator_id, since_ms=since_ms), before=before, limit=_MAX_ENTRIES)
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in page.items:
        if entry.delta_wei is not None:
            row = format_time(entry.timestamp_ms)[:10], entry.reason
            count, delta_wei = sums.get(row, (0, 0))
            sums[row] = count + 1, delta_wei + entry.delta_wei
    next_cursor = page.before
    if next_cursor is not None:
        older = store.entries(EntryQuery(), before=next_cursor, limit=1).items
        if older and older[0].timestamp_ms < since_ms - _CLOCK_ERROR_MS:
            next_cursor = None
    return {
        "orchestrator_id": orchestrator_id,
        "since": format_time(since_ms),
        "stats": [
            {"day": day, "reason": reason, "entries": count, "delta": format_eth(delta_wei)}
            for (day, reason), (count, delta_wei) in sorted(sums.items(), reverse=True)
        ],
        "complete": next_cursor is None,
        "next_cursor": next_cursor,
    }
