"""``payments sessions``: who is connected, and what became of every millisecond."""

import click

from payments.cli.calls import about, pages, session_path
from payments.cli.explain import explain
from payments.cli.options import Target, all_option, json_option, limit_option, pass_target
from payments.cli.output import show, show_one
from payments.domain.sessions import STATUSES

COLUMNS = (
    "session_id", "incarnation", "orchestrator_id", "edge_id", "status", "started_at", "last_seen_at", "billed_ms",
    "billed_eth", "unbilled_ms",
)  # fmt: skip


@click.group("sessions")
def group() -> None:
    """Who is connected, and what they earned."""


@group.command("list")
@click.option("--orchestrator", "orchestrator_id", help="Of this orchestrator only.")
@click.option("--edge", "edge_id", help="Of this edge only.")
@click.option("--status", type=click.Choice(STATUSES), help="With this status only.")
@limit_option
@all_option
@json_option
@pass_target
def show_all(target: Target, /, limit: int, everything: bool, as_json: bool, **query: str | None) -> None:
    """Sessions, newest first."""
    wanted = {name: value for name, value in query.items() if value is not None}
    with target.connect() as api:
        show(pages(api, "/api/sessions", "sessions", wanted, None if everything else limit), COLUMNS, as_json)


@group.command("show")
@click.argument("session_id")
@json_option
@pass_target
def show_session(target: Target, session_id: str, as_json: bool) -> None:
    """One session, with the account of its time.

    Of its last incarnation, where the id was used again after an end; "explain" shows all of them.
    """
    with target.connect() as api:
        show_one(about(api.call("GET", session_path(session_id)), "session_id", session_id), as_json)


group.add_command(explain)
