"""What commands have in common: where the calls go, and ``--json``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import click

from payments.cli.calls import Calls, calls
from payments.domain.times import parse_time

T = TypeVar("T")


class Target(NamedTuple):
    """Where the calls go: to ``url`` with ``token``, or, without one, to the files of this machine."""

    url: str | None
    token: str | None

    @contextmanager
    def connect(self, *, may_begin: bool = False) -> Iterator[Calls]:
        """The way there. ``may_begin``: a journal may be begun here even by a call that only asks."""
        with calls(self.url, self.token, may_begin=may_begin) as api:
            yield api

    def stay_here(self, command: str) -> None:
        """Refuse to send ``command``, which reads the files themselves, elsewhere."""
        if self.url is not None:
            raise click.UsageError(
                f"PAY-O07 {command} works on the files of this machine: run it where they are, without --api-url "
                f"(PAYMENTS_API_URL)"
            )


def read_by(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """The callback of an option or argument that ``parse`` reads; what it raises ``ValueError`` for is misuse."""

    def read(_: click.Context, parameter: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from None

    return read


pass_target = click.make_pass_decorator(Target)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
limit_option = click.option(
    "--limit", type=click.IntRange(1), default=200, show_default=True, help="Show at most so many."
)
all_option = click.option("--all", "everything", is_flag=True, help="Show all there are, however many.")
since_option = click.option(
    "--since", "since_ms", callback=read_by(parse_time), help="Recorded at this time or later (RFC 3339)."
)  # fmt: skip
until_option = click.option(
    "--until", "until_ms", callback=read_by(parse_time), help="Recorded before this time (RFC 3339)."
)
