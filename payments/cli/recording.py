"""``payments payouts record``: debits what a file has paid, all of it or nothing, and once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from payments.cli.calls import Calls, Failed, pages
from payments.cli.files import write_text
from payments.cli.options import Target, json_option, pass_target, read_by
from payments.cli.output import show
from payments.cli.payout_files import recorded_as
from payments.domain.decisions import RECORDED
from payments.domain.entries import ADJUSTMENT, PAYOUT
from payments.domain.ledger import canonical_tx_hash
from payments.domain.money import format_eth, parse_signed_eth
from payments.exports.airdrop import (
    AirdropRow,
    Payment,
    Slip,
    difference,
    read_airdrop,
    read_slip,
    slip_path,
    slip_text,
)

COLUMNS = ("orchestrator_id", "amount", "outcome", "balance", "booked_by")


@click.command("record", short_help="Record that a prepared file was paid.")
@click.option(
    "--tx",
    "tx_hash",
    callback=read_by(canonical_tx_hash),
    required=True,
    help="Hash of the transaction that paid FILE.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--instead-of", "wrong_hash", callback=read_by(canonical_tx_hash),
    help="The wrong hash that FILE was recorded under; all its payouts must have been taken back by payments ledger "
    "adjust.",
)  # fmt: skip
@json_option
@pass_target
def record(target: Target, tx_hash: str, wrong_hash: str | None, file: Path, as_json: bool) -> None:
    """Debit what FILE has paid, each orchestrator once however often this is run.

    FILE.json says whom each row pays; if it is missing, each receiver must be the address of exactly one registered
    orchestrator. Nothing is debited if FILE differs from what was prepared, a receiver is unknown or shared by two
    orchestrators, an amount is not above zero, or anyone would be debited more than is owed. After a crash or an error,
    run the same command again to complete it.
    """
    try:
        rows = read_airdrop(file.read_bytes())
    except (OSError, ValueError) as error:
        raise click.ClickException(f"PAY-O19 {file}: {error}; nothing is recorded") from None
    with target.connect() as api:
        slip = _slip(api, file, rows)
        if slip.tx_hash is not None and slip.tx_hash not in (tx_hash, wrong_hash):
            _refuse_another(file, slip, slip.tx_hash, tx_hash)
        if slip.tx_hash != tx_hash:
            _check_unused(file, tx_hash)
            if slip.tx_hash is not None:
                _check_taken_back(api, slip)
        show(_debit(api, file, slip._replace(tx_hash=tx_hash, is_debited=False)), COLUMNS, as_json)


def _refuse_another(file: Path, slip: Slip, before: str, tx_hash: str) -> NoReturn:
    """Say what to do with ``file``, recorded under ``before``, if ``tx_hash`` is right.

    From now on it is in doubt, until it is recorded under either: while its payouts are taken back, nobody in it is to
    be paid again.
    """
    write_text(slip_path(file), [slip_text(slip._replace(is_debited=False))])
    record_it = "payments payouts record --tx"
    raise click.ClickException(
        f"PAY-O23 {file} was recorded under {before}, and nothing is recorded twice. Until one of these is done, "
        "no next file pays anyone in it.\nIf that is the wrong hash, pay nobody again: what was paid is recorded "
        "under it. Take each of its payouts back (payments ledger events --reason payout shows them), the AMOUNT "
        "above zero, by\n"
        f'  payments ledger adjust ID AMOUNT --reference "{_taken_back_as(before)}" --note …\n'
        f"and then run\n"
        f"  {record_it} {tx_hash} --instead-of {before} {file}\n"
        f"If it is the right one, run\n"
        f"  {record_it} {before} {file}"
    )


def _taken_back_as(tx_hash: str) -> str:
    """How the reference begins under which a payout that was recorded under ``tx_hash`` by mistake is taken back."""
    return f"not {tx_hash}"


def _check_unused(file: Path, tx_hash: str) -> None:
    """That no other file beside ``file`` was paid by that transaction: who is in both would be debited once only."""
    for other in recorded_as(file.parent, tx_hash):
        if other.name != file.name:
            raise click.ClickException(
                f"PAY-O22 {other} was recorded under {tx_hash}, and each file is paid by a transaction of its own; "
                f"nothing is recorded. Look up the one that paid {file}"
            )


def _check_taken_back(api: Calls, slip: Slip) -> None:
    """That each payout under the hash in ``slip`` was made good by adjustments, or it would be debited twice."""
    missing = []
    for name in dict.fromkeys(payment.orchestrator_id for payment in slip.payments):
        payouts, adjustments = (
            list(pages(api, "/api/ledger/events", "events", {"orchestrator_id": name, "reason": reason}, None))
            for reason in (PAYOUT, ADJUSTMENT)
        )
        beginning = _taken_back_as(str(slip.tx_hash))
        moved_wei = sum(
            parse_signed_eth(each["delta"])
            for each in (*payouts, *adjustments)
            if each["metadata"].get("tx_hash") == slip.tx_hash
            or each["metadata"].get("reference", "").startswith(beginning)
        )
        if moved_wei:
            missing.append(f"{name}: {format_eth(-moved_wei)} is still to be taken back")
    if missing:
        raise click.ClickException(
            "\n".join([f"PAY-O24 nothing is recorded while payouts under {slip.tx_hash} stand:", *missing])
        )


def _slip(api: Calls, file: Path, rows: Sequence[AirdropRow]) -> Slip:
    """Whom ``rows`` pay: by the slip beside ``file``, or else by the registry."""
    path = slip_path(file)
    if not path.exists():
        return _looked_up(api, file, rows)
    try:
        slip = read_slip(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.ClickException(f"PAY-O19 {path}: {error}; restore it. Nothing is recorded") from None
    if (why := difference(rows, slip)) is not None:
        raise click.ClickException(
            f"PAY-O19 {file} is not the file that {path.name} belongs to: {why}. Nothing is recorded. If the Safe "
            f"has paid it as it is, take {path.name} away: then the registry says whose the receivers are"
        )
    return slip


def _looked_up(api: Calls, file: Path, rows: Sequence[AirdropRow]) -> Slip:
    owners: dict[str, list[str]] = {}
    for each in api.call("GET", "/api/orchestrators")["orchestrators"]:
        if each["address"] is not None:
            owners.setdefault(each["address"].lower(), []).append(each["orchestrator_id"])
    problems = []
    for receiver in dict.fromkeys(row.receiver for row in rows):
        names = owners.get(receiver, [])
        if len(names) != 1:
            why = f"the address of {', '.join(names)}: which one was paid?" if names else "nobody's address here"
            problems.append(f"{receiver} is {why}")
    if problems:
        raise click.ClickException("\n".join([f"PAY-O20 {file}: nothing is recorded:", *problems]))
    return Slip([Payment(owners[row.receiver][0], row.receiver, row.amount_wei) for row in rows])


def _debit(api: Calls, file: Path, slip: Slip) -> list[Any]:
    """Record what ``slip`` says; the answers, by orchestrator."""
    paid_wei: dict[str, int] = {}
    for payment in slip.payments:
        paid_wei[payment.orchestrator_id] = paid_wei.get(payment.orchestrator_id, 0) + payment.amount_wei
    balances = {
        each["orchestrator_id"]: parse_signed_eth(each["balance"])
        for each in api.call("GET", "/api/ledger/balances")["balances"]
    }
    short = {name: wei for name, wei in paid_wei.items() if wei > balances.get(name, 0)}
    answers, problems = _confirm(api, short, str(slip.tx_hash))
    if problems and not any(each["outcome"] == RECORDED for each in answers.values()):
        raise click.ClickException("\n".join([f"PAY-O20 {file}: nothing is recorded by this run:", *problems]))
    # Before the first debit, and so that a second run pays the same ones, whatever becomes of the registry.
    write_text(slip_path(file), [slip_text(slip)])
    rest = {} if problems else {name: wei for name, wei in paid_wei.items() if name not in answers}
    for name, wei in rest.items():
        try:
            answers[name] = _post(api, name, wei, str(slip.tx_hash))
        except Failed as problem:
            problems = [f"{name}: {problem}"]
            break
    if problems:
        raise click.ClickException(
            f"PAY-O21 {'; '.join(problems)}. {len(answers)} of {len(paid_wei)} payouts are recorded under "
            f"{slip.tx_hash}; when that is fixed, the same command completes it"
        )
    write_text(slip_path(file), [slip_text(slip._replace(is_debited=True))])
    return [answers[name] for name in paid_wei]


def _confirm(api: Calls, short_wei: Mapping[str, int], tx_hash: str) -> tuple[dict[str, Any], list[str]]:
    """Who of ``short_wei`` has been debited by an earlier run, for who is owed less, nothing else is left; and who not.

    To ask is to record it again: that answers with what was recorded, or refuses to overdraw. Who was credited enough
    in this very moment is debited.
    """
    answers, problems = {}, []
    for name, wei in short_wei.items():
        try:
            answers[name] = _post(api, name, wei, tx_hash)
        except Failed as problem:
            problems.append(f"{name}: {problem}")
    return answers, problems


def _post(api: Calls, orchestrator_id: str, amount_wei: int, tx_hash: str) -> Any:
    amount = format_eth(amount_wei)
    body = {"orchestrator_id": orchestrator_id, "amount": amount, "tx_hash": tx_hash}
    return {**api.call("POST", "/api/ledger/payouts", body=body), "amount": amount}
