"""What a demo tells: plain lines and tables for people, JSON for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from payments.cli.demo.story import Happening, seconds
from payments.cli.output import show
from payments.domain.times import format_time

_BALANCES = ("orchestrator_id", "host", "power", "viewers", "session_time", "power_time", "balance")


class Narrator:
    """Tells it as it happens; every line carries how long the demo has been going on, or the time."""

    def __init__(self, as_json: bool, clock: Callable[[], int]) -> None:
        self._as_json = as_json
        self._clock = clock
        self._begun_ms = clock()

    def tell(self, beat: Happening) -> None:
        now_ms = self._clock()
        if self._as_json:
            click.echo(json.dumps({"at": format_time(now_ms), "what": beat.what, **beat.fields}))
        else:
            click.echo(f"{seconds(max(0, now_ms - self._begun_ms)):>10}  {beat.text}")

    def tell_balances(self, what: str, text: str, balances: Sequence[Mapping[str, Any]]) -> None:
        """The table of them, under ``text``."""
        self.tell(Happening(what, text, {"balances": balances}))
        if not self._as_json:
            click.echo()
            show(balances, _BALANCES, as_json=False)
            click.echo()
