"""The clock of running processes steps an hour back and a day forward; their clocks may also differ."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from payments.domain.money import parse_eth
from payments.domain.times import read_time
from payments.store import EntryQuery
from tests.audit import audit
from tests.harness import NOON_MS, file_store, journal_path, state_of
from tests.store.accounts import check_accounts
from tests.system.recorder_process import EARNER, RATE_WEI_PER_MINUTE
from tests.system.recorder_processes import RecorderProcess, running_recorder

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


def test_an_hour_back_bills_nothing_until_the_clock_has_passed_the_last_billed_moment(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as process:
        tell_at(process, 0, 1, 1 - 60, 2 - 60, 59 - 60, 0, 1, 2)
    assert billed_minutes(tmp_path) == [0, 1, 0, 0, 0, 0, 0, 1]


def test_a_day_forward_bills_the_day_and_back_bills_it_never_again(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as process:
        tell_at(process, 0, 1, 1 + 1440, 2, 3, 1440, 1441, 1442)
    assert billed_minutes(tmp_path) == [0, 1, 1440, 0, 0, 0, 0, 1]


def test_with_a_maximum_gap_a_day_forward_is_a_gap(tmp_path: Path) -> None:
    with running_recorder(tmp_path, max_gap_s=300) as process:
        tell_at(process, 0, 1, 1 + 1440, 2 + 1440, 2, 3, 3 + 1440)
    assert billed_minutes(tmp_path) == [0, 1, 0, 1, 0, 0, 1]
    session = told(tmp_path)[-1]["session"]
    assert (session["billed_ms"], session["unbilled_ms"]) == (3 * MINUTE_MS, {"gap": DAY_MS})


def test_sessions_that_end_and_begin_while_the_clock_is_back_share_no_moment(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as process:
        tell_at(process, 0, 10)
        tell_at(process, 11 - 60, first=2, event="end")
        tell_at(process, 12 - 60, first=3, event="start")
        tell_at(process, 13 - 60, 9, 10, 11, first=4)
    assert billed_minutes(tmp_path) == [0, 10, 0, 0, 0, 0, 0, 1]


def test_what_an_edge_dates_by_a_clock_that_was_not_put_back_counts_up_to_its_receipt(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as process:
        tell_at(process, 0, 10)
        tell_at(process, 11 - 60, first=2, occurred_at_ms=NOON_MS + 11 * MINUTE_MS)
        tell_at(process, 12, first=3, occurred_at_ms=NOON_MS + 12 * MINUTE_MS)
    assert billed_minutes(tmp_path) == [0, 10, 0, 2]


def test_processes_that_disagree_by_an_hour_and_a_day_bill_no_moment_twice(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as right, running_recorder(tmp_path) as slow, running_recorder(tmp_path) as fast:
        for minute in range(8):
            tell_at(right, minute, first=3 * minute)
            tell_at(slow, minute - 60, first=3 * minute + 1)
            tell_at(fast, minute + 1440, first=3 * minute + 2)
    assert billed_minutes(tmp_path) == [0, 0, 1440, *[0, 0, 1] * 7]


def test_a_restart_after_a_step_back_goes_on_where_the_billing_stood(tmp_path: Path) -> None:
    with running_recorder(tmp_path) as process:
        tell_at(process, 0, 10)
    (tmp_path / "sessions.json").unlink()
    with running_recorder(tmp_path) as process:
        tell_at(process, 10 - 60, 11 - 60, 10, 11, first=2)
    assert billed_minutes(tmp_path) == [0, 10, 0, 0, 0, 1]


def tell_at(process: RecorderProcess, *minutes: int, first: int = 0, **fields: Any) -> None:
    """Record an event at each of these minutes of its clock; ``first``: number of the first event."""
    for number, minute in enumerate(minutes, start=first):
        assert process.tell(number, NOON_MS + minute * MINUTE_MS, **fields) == "recorded"


def told(folder: Path) -> list[dict[str, Any]]:
    """Audit the journal, check its accounts in two ways, and return its entries."""
    entries, balances = audit(journal_path(folder))
    store = file_store(folder)
    try:
        page = store.entries(EntryQuery(), limit=len(entries))
        check_accounts(list(reversed(page.items)), state_of(store))
    finally:
        store.close()
    billed_ms = sum(entry["metadata"]["delta_ms"] for entry in entries)
    assert balances[EARNER] * 10**18 == RATE_WEI_PER_MINUTE * billed_ms // MINUTE_MS
    return entries


def billed_minutes(folder: Path) -> list[int]:
    """Check that each event bills a later interval, never negative or overlapping; return the minutes billed."""
    entries = told(folder)
    intervals = [
        (read_time(entry["metadata"]["interval_start"]), read_time(entry["metadata"]["interval_end"]))
        for entry in entries
    ]
    assert all(start_ms <= end_ms for start_ms, end_ms in intervals)
    assert all(end_ms <= start_ms for (_, end_ms), (start_ms, _) in pairwise(intervals))
    assert all(parse_eth(entry["amount"]) > 0 for entry in entries if "amount" in entry)
    return [entry["metadata"]["delta_ms"] // MINUTE_MS for entry in entries]
