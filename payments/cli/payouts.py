"""``payments payouts``: pay what is owed from a Safe wallet, and record the payment."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click

from payments.cli.calls import Calls
from payments.cli.files import write_text
from payments.cli.options import Target, json_option, pass_target, read_by
from payments.cli.output import show
from payments.cli.payout_files import check_unpaid, new_paths, preparing_in
from payments.cli.recording import record
from payments.disk import Disk
from payments.domain.money import format_eth, parse_eth, parse_signed_eth
from payments.exports.airdrop import MOST_ROWS, Payment, Slip, airdrop_text, slip_path, slip_text

COLUMNS = ("orchestrator_id", "balance", "receiver", "file", "remark")


class _Owed(NamedTuple):
    """What one orchestrator is owed, and whether this file pays it.

    Attributes:
        receiver: its address, or ``None``.
        remark: why it is left out, or another note.
    """

    orchestrator_id: str
    balance_wei: int
    receiver: str | None
    remark: str | None
    is_paid: bool

    def payment(self) -> Payment:
        assert self.receiver is not None
        return Payment(self.orchestrator_id, self.receiver, self.balance_wei)


@click.group("payouts")
def group() -> None:
    """Pay from a Safe wallet, and record the payments."""


@group.command("prepare", short_help="Write a payment file for Safe's CSV Airdrop app.")
@click.option(
    "--min", "least_wei", callback=read_by(parse_eth), default="0.01", show_default=True,
    help="Leave out orchestrators that are owed less than this, in ETH.",
)  # fmt: skip
@click.option("--orchestrator", "only", multiple=True, help="Pay only this orchestrator; may be repeated.")
@click.option(
    "-o", "--output", type=click.Path(), required=True, metavar="DIR_OR_FILE",
    help="File to write, or folder for payouts-<time>.csv; end it with a slash to create the folder.",
)  # fmt: skip
@json_option
@pass_target
def prepare(target: Target, least_wei: int, only: tuple[str, ...], output: str, as_json: bool) -> None:
    """Write a file for Safe's CSV Airdrop app that pays everyone who is owed --min or more in full.

    Nothing is debited yet: let the Safe pay the file, then run payments payouts record with the hash of the
    transaction. Until that is done, a new file in the same folder that pays any of the same orchestrators is refused.
    More than 500 payments become several files, each a transaction of its own. FILE.json beside FILE says whom each row
    pays; keep the two together.

    Disabled orchestrators are still paid. Those without an address, or owed less, are left out and listed.
    """
    place = Path(output)
    folder = place if output.endswith("/") or place.is_dir() else place.parent
    with ExitStack() as held:
        unsettled = held.enter_context(preparing_in(folder)) if folder.is_dir() else None
        with target.connect() as api:
            owed = _owed(api, least_wei, only)
        payments = [each.payment() for each in owed if each.is_paid]
        parts = [payments[begin : begin + MOST_ROWS] for begin in range(0, len(payments), MOST_ROWS)]
        if parts and unsettled is None:
            if output.endswith("/"):
                _make_folder(folder)
            unsettled = held.enter_context(preparing_in(folder))
        paths = new_paths(place, len(parts))
        check_unpaid(unsettled or (), payments)
        for path, part in zip(paths, parts, strict=True):
            # In this order, no crash leaves a file whose payees are unknown.
            write_text(slip_path(path), [slip_text(Slip(part))])
            write_text(path, [airdrop_text(part)])
    in_file = {each.orchestrator_id: path for path, part in zip(paths, parts, strict=True) for each in part}
    show((_table_row(each, in_file.get(each.orchestrator_id)) for each in owed), COLUMNS, as_json)
    total = format_eth(sum(each.amount_wei for each in payments))
    click.echo(f"payments: {len(payments)} payments, {total} ETH, {len(parts)} files", err=True)


group.add_command(record)


def _owed(api: Calls, least_wei: int, only: Sequence[str]) -> list[_Owed]:
    """Everyone registered or ever credited, by id, or ``only`` those."""
    if problem := api.call("GET", "/readyz")["registry"]["problem"]:
        raise click.ClickException(
            f"PAY-O17 {problem}; fix the file first: the records from before that edit are in force, and the edit may "
            "have changed an address"
        )
    records = {each["orchestrator_id"]: each for each in api.call("GET", "/api/orchestrators")["orchestrators"]}
    balances = {
        each["orchestrator_id"]: parse_signed_eth(each["balance"])
        for each in api.call("GET", "/api/ledger/balances")["balances"]
    }
    known = {*records, *balances}
    if strangers := sorted(set(only) - known):
        raise click.ClickException(f"PAY-O13 neither registered nor ever credited: {', '.join(strangers)}")
    return [_decision(name, records.get(name), balances.get(name, 0), least_wei) for name in sorted(set(only) or known)]


def _decision(name: str, record: Any, balance_wei: int, least_wei: int) -> _Owed:
    address = None if record is None else record["address"]
    remark = None
    if balance_wei <= 0:
        remark = "left out: it is owed nothing"
    elif balance_wei < least_wei:
        remark = f"left out: below the minimum of {format_eth(least_wei)}"
    elif record is None:
        remark = "left out: it is not registered"
    elif address is None:
        remark = "left out: its record has no address"
    if remark is not None:
        return _Owed(name, balance_wei, address, remark, is_paid=False)
    return _Owed(
        name, balance_wei, address, None if record["enabled"] else "disabled, but still paid what it is owed",
        is_paid=True,
    )  # fmt: skip


def _make_folder(folder: Path) -> None:
    """Make the folder, with mode 0700."""
    try:
        Disk().make_folder(folder)
    except OSError as error:
        raise click.ClickException(f"PAY-O12 {folder}: cannot be made ({error.strerror})") from error


def _table_row(owed: _Owed, path: Path | None) -> dict[str, str | None]:
    return {
        "orchestrator_id": owed.orchestrator_id,
        "balance": format_eth(owed.balance_wei),
        "receiver": owed.receiver,
        "file": None if path is None else str(path),
        "remark": owed.remark,
    }
