"""``ps-gateway spool``: shows the spool and resends dead letters.

A running gateway locks the spool, so the command asks it. If no gateway answers, the command opens the spool itself.
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
    """Add ``spool`` to the command line."""
    about = "show the spool, and resend dead letters: events that Payments rejected for good"
    parser = commands.add_parser("spool", help=about, description=f"{about}; works whether or not the gateway runs")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="show dead letters and pending events (default)")
    actions.add_parser("export", help="print all of them as JSON lines")
    resend = actions.add_parser("resend", help="send dead letters again, after all pending events")
    which = resend.add_mutually_exclusive_group(required=True)
    which.add_argument("numbers", nargs="*", type=int, default=[], metavar="NUMBER", help="a number that list shows")
    which.add_argument("--all", action="store_true", help="all dead letters")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 if it failed."""
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
        # The reader has closed the pipe. Keep Python from flushing the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _lines(settings: EdgeSettings) -> Iterator[bytes]:
    """The contents of the spool as JSON lines."""
    response = _ask(settings, "GET", "/spool")
    if response is None:
        with _unavailable_errors(settings):
            letters, events = Database(settings.spool_dir, 0).read()
        yield from to_json_lines(letters, [event for event in events if event.is_pending])
        return
    try:
        yield from (line + b"\n" for line in response.iter_lines(1 << 16))
    except requests.RequestException:
        raise Unavailable("PAY-E18 the gateway's answer broke off; try again") from None


def _resend(settings: EdgeSettings, numbers: Sequence[int] | None) -> str:
    """Resend dead letters; ``None``: all. Returns a sentence for the user."""
    response = _ask(settings, "POST", "/spool/resend", {"all": True} if numbers is None else {"numbers": numbers})
    if response is not None:
        return f"Dead letters queued to be sent again: {response.json()['resent']}"
    spool = Spool(settings.spool_dir, settings.spool_bytes)
    with _unavailable_errors(settings):
        # Opening a spool changes or creates it, so check first that these dead letters exist.
        select_letters(Database(settings.spool_dir, 0).read()[0], numbers)
        try:
            spool.open()
            count = spool.resend(numbers)
        finally:
            spool.close()
    if spool.error is not None:
        raise Unavailable(f"PAY-E17 {spool.error}; nothing was queued")
    return f"The gateway is not running. Dead letters queued for its next start: {count}"


def _ask(settings: EdgeSettings, method: str, path: str, body: Any = None) -> requests.Response | None:
    """Ask the running gateway; ``None``: nobody answers. Raises ``Unavailable`` for any answer but success."""
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
    content_type = "application/x-ndjson" if body is None else "application/json"
    if response.status_code == 200 and response.headers.get("Content-Type") == content_type:
        return response
    try:
        reason = response.json()["error"]
    except (ValueError, LookupError, TypeError):
        reason = f"unexpected answer, status {response.status_code}; is PS_GATEWAY_ADMIN_LISTEN right?"
    raise Unavailable(f"PAY-E15 the gateway at {at} answered: {_printable(str(reason))}")


@contextmanager
def _unavailable_errors(settings: EdgeSettings) -> Iterator[None]:
    """Turn errors of a stopped gateway's spool into ``Unavailable``."""
    try:
        yield
    except OSError as error:
        reason = "another gateway uses it" if isinstance(error, SpoolInUse) else error.strerror or error
        raise Unavailable(
            f"PAY-E16 no gateway answers at PS_GATEWAY_ADMIN_LISTEN ({settings.admin_listen}), and the spool in "
            f"{settings.spool_dir.resolve()} cannot be opened: {reason}"
        ) from None


def _listing(lines: Iterable[bytes]) -> str:
    """The contents as tables for people."""
    found = list(lines)
    pending = [line for line in found if line.startswith(b'{"state":"pending"')]
    letters = found[: len(found) - len(pending)]
    oldest = min((orjson.loads(line)["event"]["occurred_at"] for line in pending), default="")
    since = f", the oldest since {oldest}" if pending else ""
    output = [f"{len(letters)} dead letters, {len(pending)} pending events{since}"]
    if letters:
        output += ["", f"dead letters (the newest {_MAX_SHOWN} at most):", _LETTER_HEAD]
        output += _rows(_LETTER, letters[-_MAX_SHOWN:])
    if pending:
        output += ["", f"pending events (the first {_MAX_SHOWN} at most):", _EVENT_HEAD]
        output += _rows(_EVENT, pending[:_MAX_SHOWN])
    return "\n".join(output)


def _rows(form: str, lines: Iterable[bytes]) -> list[str]:
    return [_printable(form.format(**{**entry, **entry["event"]})) for entry in map(orjson.loads, lines)]


def _printable(text: str) -> str:
    """``text`` as one line that is safe to show on a terminal."""
    return "".join(each if each.isprintable() else " " for each in text)
