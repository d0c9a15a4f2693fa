"""Output of a demo: plain lines and tables for people, JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from payments.cli.demo.story import DemoEvent, seconds
from payments.cli.output import show
from payments.domain.times import format_time

_BALANCES = ("orchestrator_id", "host", "power", "viewers", "session_time", "power_time", "balance")


class DemoOutput:
    """Prints events as they happen, each with the time since the start (text) or the time of day (JSON)."""

    def __init__(self, as_json: bool, clock: Callable[[], int]) -> None:
        self._as_json = as_json
        self._clock = clock
        self._started_ms = clock()

    def print_event(self, event: DemoEvent) -> None:
        now_ms = self._clock()
        if self._as_json:
            click.echo(json.dumps({"at": format_time(now_ms), "what": event.what, **event.fields}))
        else:
            click.echo(f"{seconds(max(0, now_ms - self._started_ms)):>10}  {event.text}")

    def print_balances(self, what: str, text: str, balances: Sequence[Mapping[str, Any]]) -> None:
        """Print ``text``, and the table of ``balances`` below."""
        self.print_event(DemoEvent(what, text, {"balances": balances}))
        if not self._as_json:
            click.echo()
            show(balances, _BALANCES, as_json=False)
            click.echo()
