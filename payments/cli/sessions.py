"""``payments sessions``: who is connected, and how their time was accounted for."""

import click

from payments.cli.calls import check_answer, pages, session_path
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
    """Show who is connected, and what sessions earned."""


@group.command("list")
@click.option("--orchestrator", "orchestrator_id", help="Only this orchestrator.")
@click.option("--edge", "edge_id", help="Only this edge.")
@click.option("--status", type=click.Choice(STATUSES), help="Only this status.")
@limit_option
@all_option
@json_option
@pass_target
def show_all(target: Target, /, limit: int, everything: bool, as_json: bool, **query: str | None) -> None:
    """List sessions, newest first."""
    wanted = {name: value for name, value in query.items() if value is not None}
    with target.connect() as api:
        show(pages(api, "/api/sessions", "sessions", wanted, None if everything else limit), COLUMNS, as_json)


@group.command("show")
@click.argument("session_id")
@json_option
@pass_target
def show_session(target: Target, session_id: str, as_json: bool) -> None:
    """Show one session, and how its time was accounted for.

    If the id was used again after an end, this is the last incarnation; "explain" shows all.
    """
    with target.connect() as api:
        show_one(check_answer(api.call("GET", session_path(session_id)), "session_id", session_id), as_json)


group.add_command(explain)
