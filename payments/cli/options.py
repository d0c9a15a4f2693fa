"""Options shared by commands: the target of calls, ``--json``, limits and times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import click

from payments.cli.calls import Calls, calls
from payments.domain.times import parse_time

T = TypeVar("T")


class Target(NamedTuple):
    """Where calls go: to the API at ``url`` with ``token``, or to the local files where ``url`` is ``None``."""

    url: str | None
    token: str | None

    @contextmanager
    def connect(self, *, may_create: bool = False) -> Iterator[Calls]:
        """A connection. ``may_create``: even a GET may create a journal here."""
        with calls(self.url, self.token, may_create=may_create) as api:
            yield api

    def require_local(self, command: str) -> None:
        """Raise ``UsageError`` if ``--api-url`` is given: ``command`` uses the files directly."""
        if self.url is not None:
            raise click.UsageError(
                f"PAY-O07 {command} works on the files of this machine: run it where they are, without --api-url "
                f"(PAYMENTS_API_URL)"
            )


def read_by(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A callback that reads an option or argument by ``parse``; its ``ValueError`` becomes a usage error."""

    def read(_: click.Context, parameter: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error), param=parameter) from None

    return read


pass_target = click.make_pass_decorator(Target)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
limit_option = click.option(
    "--limit", type=click.IntRange(1), default=200, show_default=True, help="Show at most this many."
)
all_option = click.option("--all", "everything", is_flag=True, help="Show all.")
since_option = click.option(
    "--since", "since_ms", callback=read_by(parse_time), help="Only what was recorded at or after this time (RFC 3339)."
)  # fmt: skip
until_option = click.option(
    "--until", "until_ms", callback=read_by(parse_time), help="Only what was recorded before this time (RFC 3339)."
)
