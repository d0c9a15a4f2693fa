"""Payouts for a Safe wallet: the CSV that its CSV Airdrop app reads, and the slip that stands beside it.

The app refuses a file with a column that it does not know, so what it need not know, whom each row pays, stands in the
slip, ``<file>.json``: one payment per row, in the same order, with a checksum. Two orchestrators that share an address
have a row each; only the slip tells them apart. It also keeps the transaction under which the file was recorded, so
that it cannot be recorded under another as well, and whether all of it is debited: until then the ledger shows as owed
what the file pays.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from payments.domain.money import format_eth, parse_eth
from payments.strictjson import read_strictly

MOST_ROWS = 500
"""The most rows that the app accepts in one file."""

HEADER = ("token_type", "token_address", "receiver", "amount", "id")
NATIVE = "native"
_FORMAT = 1


class AirdropRow(NamedTuple):
    """A row of the file, with the receiver in lower case."""

    receiver: str
    amount_wei: int


class Payment(NamedTuple):
    """A payment above zero to the Ethereum address of one orchestrator."""

    orchestrator_id: str
    receiver: str
    amount_wei: int

    @property
    def row(self) -> AirdropRow:
        """The row of this payment in the file."""
        return AirdropRow(self.receiver.lower(), self.amount_wei)


class Slip(NamedTuple):
    """Whom a file pays, row by row.

    Attributes:
        tx_hash: under which it is recorded, ``None`` while that was not begun.
        is_debited: whether all of it is, and nobody has said since that the transaction is the wrong one.
    """

    payments: Sequence[Payment]
    tx_hash: str | None = None
    is_debited: bool = False


def airdrop_text(payments: Iterable[Payment]) -> str:
    """The CSV text; amounts in ETH, as the app expects."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((NATIVE, "", each.receiver, format_eth(each.amount_wei), "") for each in payments)
    return text.getvalue()


def is_airdrop(head: bytes) -> bool:
    """Whether ``head``, some of its first bytes, begins as such a file does."""
    first = head.decode("utf-8-sig", errors="replace").split("\n", 1)[0]
    return sorted(next(csv.reader([first.strip()]), [])) == sorted(HEADER)


def read_airdrop(data: bytes) -> list[AirdropRow]:
    """The rows of the file ``data``, which somebody may have saved with another program since.

    ``ValueError`` with one line per problem: not such a file, another token, an amount that is not above zero.
    """
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        if sorted(header) != sorted(HEADER):
            raise ValueError(f"its first line is not {','.join(HEADER)}")
        rows, problems = [], []
        for cells in filter(None, reader):
            try:
                rows.append(_row(header, cells))
            except ValueError as error:
                problems.append(f"line {reader.line_num}: {error}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"it is not a CSV file in UTF-8 ({error})") from None
    if problems or not rows:
        raise ValueError("\n".join(problems) or "it pays nobody")
    return rows


def slip_path(path: Path) -> Path:
    """Where the slip of the file at ``path`` stands."""
    return path.with_name(f"{path.name}.json")


def slip_text(slip: Slip) -> str:
    """The slip, laid out to be read."""
    payments = _listed(slip.payments)
    state = {"recorded_as": slip.tx_hash, "debited": slip.is_debited}
    return (
        json.dumps({"format": _FORMAT, **state, "payments": payments, "checksum": _checksum(payments)}, indent=1) + "\n"
    )


def read_slip(data: bytes) -> Slip:
    """The inverse of ``slip_text``; ``ValueError`` where anything in it was changed."""
    try:
        document = read_strictly(data)
        if document["format"] != _FORMAT:
            raise ValueError("it is of a format that is not known here")
        if document["checksum"] != _checksum(document["payments"]):
            raise ValueError("its checksum does not fit what it says")
        payments = [
            Payment(each["orchestrator_id"], each["receiver"], parse_eth(each["amount"]))
            for each in document["payments"]
        ]
        # The first slips said only under what, and that before the first debit.
        return Slip(
            payments, document["recorded_as"], document.get("debited", document["recorded_as"] is not None) is True
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError("it is not what payments payouts prepare writes") from None


def difference(rows: Sequence[AirdropRow], slip: Slip) -> str | None:
    """In which row the file is not the one that ``slip`` was written for; ``None``: it is."""
    pairs = zip_longest(rows, (payment.row for payment in slip.payments))
    for number, (row, expected) in enumerate(pairs, start=1):
        if row != expected:
            return f"row {number} pays {_told(row)}, and was prepared to pay {_told(expected)}"
    return None


def _row(header: Sequence[str], cells: Sequence[str]) -> AirdropRow:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells where there must be {len(header)}")
    row = dict(zip(header, cells, strict=True))
    if row["token_type"] != NATIVE or row["token_address"] or row["id"]:
        raise ValueError("it does not pay in ETH (native, without a token's address or id)")
    amount_wei = parse_eth(row["amount"])
    if amount_wei == 0:
        raise ValueError("its amount is not above zero")
    return AirdropRow(row["receiver"].lower(), amount_wei)


def _listed(payments: Iterable[Payment]) -> list[dict[str, str]]:
    return [
        {"orchestrator_id": each.orchestrator_id, "receiver": each.receiver, "amount": format_eth(each.amount_wei)}
        for each in payments
    ]


def _checksum(payments: Any) -> str:
    return sha256(json.dumps(payments, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _told(row: AirdropRow | None) -> str:
    return "nobody" if row is None else f"{format_eth(row.amount_wei)} ETH to {row.receiver}"
