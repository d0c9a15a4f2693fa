"""The command line of ``payments demo``."""

from importlib.util import find_spec
from pathlib import Path

import click

from payments.cli.options import json_option
from payments.errors import Misconfigured


def _unused(_: click.Context, option: click.Parameter, folder: Path | None) -> Path | None:
    """What another demo has left there speaks of hosts that are gone; what anybody else has is none of ours."""
    if folder is not None and folder.is_dir() and any(folder.iterdir()):
        raise click.BadParameter(f"{folder} is not empty; name a folder to make", param=option)
    return folder


@click.command("demo")
@click.option("--seconds", type=click.IntRange(1), help="End by itself after so long; otherwise with Ctrl-C.")
@click.option(
    "--viewers", type=click.IntRange(1, 200), default=6, show_default=True, help="At most so many at the same time."
)
@click.option(
    "--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), callback=_unused,
    help="Leave files and logs in this folder, which must be empty or not there yet.",
)  # fmt: skip
@json_option
def demo(seconds: int | None, viewers: int, keep: Path | None, as_json: bool) -> None:
    """Show all of Payments at work here: API, worker, a gateway, game hosts and viewers who come and go.

    Nothing else has to run, no setting of this machine is heeded, and nothing stays behind. It needs the extra [edge].
    """
    if find_spec("aiohttp") is None:
        raise Misconfigured(
            "PAY-M01 the demo needs aiohttp, which is part of the extra [edge]; in the checkout: "
            ".venv/bin/python -m pip install --editable '.[edge]'"
        )
    from payments.cli.demo.play import Play, perform  # noqa: PLC0415

    perform(Play(seconds, viewers, keep, as_json))
