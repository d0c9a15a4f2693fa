"""``ps-gateway spool``: shows what is in the spool, and sends dead letters again.

A running gateway has the spool to itself, so it is asked. Where nobody answers, the spool is opened here.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import requests

from payments.edge.database import Database, SpoolInUse
from payments.edge.events import select_letters, to_json_lines
from payments.edge.settings import EdgeSettings
from payments.edge.spool import Spool
from payments.errors import PaymentsError, Unavailable

_MAX_SHOWN = 50
_EVENT = "{session_id:36}  {event:9}  {occurred_at}"
_LETTER = "{number:>6}  {rejected_at:24}  " + _EVENT + "  {reason}"
_EVENT_HEAD = _EVENT.format(session_id="session", event="event", occurred_at="moment")
_LETTER_HEAD = f"number  {'rejected':24}  {_EVENT_HEAD:73}  reason"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Have the command line take this command."""
    about = "show what is in the spool, and send dead letters again: events that Payments has refused for good"
    parser = commands.add_parser("spool", help=about, description=f"{about}; the gateway may run or have stopped")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="show dead letters and pending events (default)")
    actions.add_parser("export", help="print all of them, one JSON object a line")
    resend = actions.add_parser("resend", help="send dead letters again, behind all that is pending")
    which = resend.add_mutually_exclusive_group(required=True)
    which.add_argument("numbers", nargs="*", type=int, default=[], metavar="NUMBER", help="as list shows them")
    which.add_argument("--all", action="store_true", help="all dead letters")


def run(arguments: argparse.Namespace) -> int:
    """The exit code: 1 where it cannot be done."""
    try:
        settings = EdgeSettings.load()
        if arguments.action == "resend":
            print(_resend(settings, None if arguments.all else arguments.numbers))
        elif arguments.action == "export":
            sys.stdout.buffer.writelines(_lines(settings))
        else:
            print(f"{settings.spool_dir.resolve()}: {_listing(_lines(settings))}")
        sys.stdout.flush()
    except PaymentsError as error:
        print(f"ps-gateway spool: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has seen enough. Python must not write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _lines(settings: EdgeSettings) -> Iterator[bytes]:
    """All that is in the spool, as JSON."""
    response = _ask(settings, "GET", "/spool")
    if response is None:
        with _usable(settings):
            letters, events = Database(settings.spool_dir, 0).read()
        yield from to_json_lines(letters, [event for event in events if event.is_pending])
        return
    try:
        yield from (line + b"\n" for line in response.iter_lines(1 << 16))
    except requests.RequestException:
        raise Unavailable("PAY-E18 the gateway ended before it had told all; try again") from None


def _resend(settings: EdgeSettings, numbers: Sequence[int] | None) -> str:
    """What was done."""
    response = _ask(settings, "POST", "/spool/resend", {"all": True} if numbers is None else {"numbers": numbers})
    if response is not None:
        return f"Dead letters that are sent again: {response.json()['resent']}"
    spool = Spool(settings.spool_dir, settings.spool_bytes)
    with _usable(settings):
        # To open a spool changes it, or makes one: only if it has these.
        select_letters(Database(settings.spool_dir, 0).read()[0], numbers)
        try:
            spool.open()
            count = spool.resend(numbers)
        finally:
            spool.close()
    if spool.error is not None:
        raise Unavailable(f"PAY-E17 {spool.error}; nothing is sent again")
    return f"The gateway has stopped. Dead letters that its next start sends again: {count}"


def _ask(settings: EdgeSettings, method: str, path: str, body: Any = None) -> requests.Response | None:
    """What the running gateway answers; ``None``: nobody does. Raises ``Unavailable`` where it refuses."""
    at = settings.admin_listen
    if at.host in ("0.0.0.0", "::"):  # noqa: S104
        at = at._replace(host="127.0.0.1")
    session = requests.Session()
    session.trust_env = False
    try:
        response = session.request(
            method, f"http://{at}{path}", {"folder": str(settings.spool_dir.resolve())}, json=body, timeout=30,
            stream=method == "GET", allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException:
        return None
    kind = "application/x-ndjson" if body is None else "application/json"
    if response.status_code == 200 and response.headers.get("Content-Type") == kind:
        return response
    try:
        why = response.json()["error"]
    except (ValueError, LookupError, TypeError):
        why = f"{response.status_code}, which ps-gateway does not say; is PS_GATEWAY_ADMIN_LISTEN right?"
    raise Unavailable(f"PAY-E15 the answer of {at}: {_plain(str(why))}")


@contextmanager
def _usable(settings: EdgeSettings) -> Iterator[None]:
    """Says why the spool of a gateway that has stopped cannot be used."""
    try:
        yield
    except OSError as error:
        why = "a gateway uses it" if isinstance(error, SpoolInUse) else error.strerror or error
        raise Unavailable(
            f"PAY-E16 nobody answers at PS_GATEWAY_ADMIN_LISTEN ({settings.admin_listen}), and the spool in "
            f"{settings.spool_dir.resolve()} cannot be used: {why}"
        ) from None


def _listing(lines: Iterable[bytes]) -> str:
    """The same for a person."""
    found = list(lines)
    pending = [line for line in found if line.startswith(b'{"state":"pending"')]
    letters = found[: len(found) - len(pending)]
    oldest = min((orjson.loads(line)["event"]["occurred_at"] for line in pending), default="")
    since = f", the oldest since {oldest}" if pending else ""
    said = [f"{len(letters)} dead letters, {len(pending)} pending events{since}"]
    if letters:
        said += ["", f"dead letters (the newest {_MAX_SHOWN} at most):", _LETTER_HEAD]
        said += _rows(_LETTER, letters[-_MAX_SHOWN:])
    if pending:
        said += ["", f"pending events (the first {_MAX_SHOWN} at most):", _EVENT_HEAD]
        said += _rows(_EVENT, pending[:_MAX_SHOWN])
    return "\n".join(said)


def _rows(form: str, lines: Iterable[bytes]) -> list[str]:
    return [_plain(form.format(**{**entry, **entry["event"]})) for entry in map(orjson.loads, lines)]


def _plain(text: str) -> str:
    """As one line that a terminal can be shown."""
    return "".join(each if each.isprintable() else " " for each in text)
