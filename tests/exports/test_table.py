"""CSV without formulas for spreadsheets, and without loss."""

import csv
import io

import pytest
from hypothesis import given

from payments.exports.table import COLUMNS, TEXTS, csv_text
from tests.exports.records import deltas, money_records
from tests.harness import JSON, campaign

DANGEROUS = "=+-@\t\r\n＝＋－＠"  # noqa: RUF001


def rows(text: str) -> list[dict[str, str]]:
    """The rows as a CSV reader returns them."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def as_was(row: dict[str, str]) -> dict[str, str]:
    """The row without apostrophes, removed as the package's docstring says."""
    return {name: text.removeprefix("'") if name in TEXTS else text for name, text in row.items()}


def shown(record: JSON) -> dict[str, str]:
    """The expected row of ``record``."""
    values = {**record["metadata"], **{name: value for name, value in record.items() if name != "metadata"}}
    return {column: "" if values.get(column) is None else str(values[column]) for column in COLUMNS}


@campaign(40)
@given(deltas())
def test_every_value_can_be_had_back_and_no_text_begins_a_formula(moved: list[JSON]) -> None:
    records = money_records(moved)
    written = rows("".join(csv_text(records)))
    assert [as_was(row) for row in written] == [shown(record) for record in records]
    for row in written:
        assert not any(row[name].startswith(tuple(DANGEROUS)) for name in TEXTS)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "＝1", " =1", "'=1"], ids=ascii)  # noqa: RUF001
def test_what_looks_like_a_formula_gets_an_apostrophe(text: str) -> None:
    [row] = rows("".join(csv_text(money_records([("orch-a", 1, "adjustment", {"note": text})]))))
    assert row["note"] == f"'{text}"


def test_amount_below_zero_stays_a_number() -> None:
    [row] = rows("".join(csv_text(money_records([("orch-a", -5 * 10**17, "payout", {})]))))
    assert (row["event"], row["amount"], row["delta"], row["balance"]) == ("debit", "0.5", "-0.5", "-0.5")


def test_row_has_its_columns_in_this_order() -> None:
    metadata = {
        "session_id": "s-1", "incarnation": 2, "edge_id": "edge-1", "streamer_id": None,
        "upstream_addr": "203.0.113.10", "upstream_port": 8888, "event": "heartbeat", "delta_ms": 15000,
        "interval_start": "2026-01-27T11:59:45.000Z",
        "interval_end": "2026-01-27T12:00:00.000Z", "rate_eth_per_minute": "0.001", "credit_unit": "eth",
    }  # fmt: skip
    head, row = "".join(csv_text(money_records([("orch-a", 25 * 10**13, "session_time", metadata)]))).splitlines()
    assert head == (
        "seq,timestamp,event,reason,orchestrator_id,amount,delta,balance,credit_unit,session_id,incarnation,edge_id,"
        "streamer_id,interval_start,interval_end,delta_ms,rate_eth_per_minute,reference,tx_hash,note"
    )
    assert row == (
        "1,2026-01-27T12:00:00.000Z,credit,session_time,orch-a,0.00025,0.00025,0.00025,eth,s-1,2,edge-1,,"
        "2026-01-27T11:59:45.000Z,2026-01-27T12:00:00.000Z,15000,0.001,,,"
    )
