"""The command line of ``payments demo``."""

from importlib.util import find_spec
from pathlib import Path

import click

from payments.cli.options import json_option
from payments.errors import Misconfigured


def _unused(_: click.Context, option: click.Parameter, folder: Path | None) -> Path | None:
    """Refuse a folder with files: those of an earlier demo name hosts that are gone, others are not ours."""
    if folder is not None and folder.is_dir() and any(folder.iterdir()):
        raise click.BadParameter(f"{folder} is not empty; name an empty or new folder", param=option)
    return folder


@click.command("demo", short_help="Run a demo with simulated game hosts and viewers.")
@click.option("--seconds", type=click.IntRange(1), help="Stop after this many seconds; by default run until Ctrl-C.")
@click.option(
    "--viewers",
    type=click.IntRange(1, 200),
    default=6,
    show_default=True,
    help="Maximum number of viewers at the same time.",
)
@click.option(
    "--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), callback=_unused,
    help="Keep files and logs in this folder, which must be empty or new.",
)  # fmt: skip
@json_option
def demo(seconds: int | None, viewers: int, keep: Path | None, as_json: bool) -> None:
    """Run a demo of Payments: API, worker and gateway, with simulated game hosts and viewers.

    Needs no other running service, ignores the settings of this machine, and leaves nothing behind. Requires the extra
    [edge].
    """
    if find_spec("aiohttp") is None:
        raise Misconfigured(
            "PAY-M01 the demo needs aiohttp, which is part of the extra [edge]; in the checkout: "
            ".venv/bin/python -m pip install --editable '.[edge]'"
        )
    from payments.cli.demo.play import DemoOptions, run_demo  # noqa: PLC0415

    run_demo(DemoOptions(seconds, viewers, keep, as_json))
