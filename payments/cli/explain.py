"""``payments sessions explain``: what became of every millisecond of a session, entry by entry."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from payments.cli.calls import Calls, pages
from payments.cli.options import Target, json_option, pass_target
from payments.cli.output import show, show_one
from payments.domain.money import format_eth, parse_eth
from payments.errors import Rejected

COLUMNS = (
    "seq",
    "incarnation",
    "event",
    "from",
    "to",
    "ms",
    "credited_ms",
    "amount",
    "orchestrator_id",
    "upstream_addr",
    "not_credited",
)


@click.command("explain", short_help="Show what each interval of a session earned, or why not.")
@click.argument("session_id")
@json_option
@pass_target
def explain(target: Target, session_id: str, as_json: bool) -> None:
    """Show the intervals of a session, oldest first: what each earned, or why not, and the sums.

    The journal keeps every session, also those that are no longer listed. An id that was used again after an end has
    several incarnations; all are shown. "unattributed" time was on an address (upstream addr) that belonged to no
    enabled orchestrator.
    """
    with target.connect() as api:
        intervals = list(_intervals(api, session_id))
        sums = _sums(intervals)
    if not intervals:
        raise Rejected("not-found", f'the journal has no session "{session_id}"')
    show(intervals, COLUMNS, as_json)
    if not as_json:
        click.echo()
    show_one(sums, as_json)


def _intervals(api: Calls, session_id: str) -> Iterator[dict[str, Any]]:
    entries = list(pages(api, "/api/ledger/events", "events", {"session_id": session_id}, None))
    for entry in reversed(entries):
        details = entry["metadata"]
        causes = details.get("unbilled_ms", {})
        yield {
            "seq": entry["seq"],
            "incarnation": details["incarnation"],
            "event": details["event"],
            "from": details["interval_start"],
            "to": details["interval_end"],
            "ms": details["delta_ms"] + sum(causes.values()),
            "credited_ms": details["delta_ms"],
            "amount": entry.get("delta", "0"),
            "orchestrator_id": entry["orchestrator_id"],
            "upstream_addr": details["upstream_addr"],
            "not_credited": causes,
        }


def _sums(intervals: list[dict[str, Any]]) -> Mapping[str, Any]:
    causes: dict[str, int] = {}
    for interval in intervals:
        for cause, unbilled_ms in interval["not_credited"].items():
            causes[cause] = causes.get(cause, 0) + unbilled_ms
    return {
        "entries": len(intervals),
        "incarnations": len({interval["incarnation"] for interval in intervals}),
        "ms": sum(interval["ms"] for interval in intervals),
        "credited_ms": sum(interval["credited_ms"] for interval in intervals),
        "not_credited_ms": causes,
        "amount": format_eth(sum(parse_eth(interval["amount"]) for interval in intervals)),
    }
