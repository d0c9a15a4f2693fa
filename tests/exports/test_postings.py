"""Double entry, checked by hledger and beancount."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from payments.exports import FORMATS
from payments.exports.accounts import account_part
from payments.exports.postings import CONTRA_ACCOUNTS, OTHER, OWED, beancount_text, hledger_text
from tests.exports.programs import BALANCES, tool
from tests.exports.records import AWKWARD_TEXTS, REASONS, deltas, money_records, owed_wei
from tests.harness import JSON, campaign

pytestmark = pytest.mark.processes

WITH_A_FOLDER = [HealthCheck.function_scoped_fixture]


def balances(program: str, folder: Path, records: list[JSON]) -> dict[str, int]:
    """The sums of ``program`` for the export of ``records``, which it must accept."""
    path = folder / "export"
    path.write_text("".join(FORMATS[program].write(records)))
    return BALANCES[program](path)


def booked(records: list[JSON]) -> dict[str, int]:
    """Wei by account: debts are liabilities, and each has a counterpart."""
    sums = {f"{OWED}:{account_part(name)}": -owed for name, owed in owed_wei(records).items()}
    for reason in {record["reason"] for record in records}:
        against = CONTRA_ACCOUNTS.get(reason, OTHER)
        sums[against] = sum(owed_wei([each for each in records if each["reason"] == reason]).values())
    return sums


@pytest.mark.parametrize("program", BALANCES)
@campaign(3, suppress_health_check=WITH_A_FOLDER)
@given(moved=deltas())
def test_program_accepts_whatever_was_recorded_and_agrees_to_the_wei(
    tmp_path: Path, program: str, moved: list[JSON]
) -> None:
    records = money_records(moved)
    assert balances(program, tmp_path, records) == booked(records)


@pytest.mark.parametrize("program", BALANCES)
def test_program_accepts_every_awkward_name_and_note(tmp_path: Path, program: str) -> None:
    moved = [
        (name, 10**18 + number, reason, {"credit_unit": "eth", "session_id": note, "note": note, "edge_id": name})
        for number, (name, note) in enumerate(zip(AWKWARD_TEXTS, reversed(AWKWARD_TEXTS), strict=True))
        for reason in REASONS
    ]
    records = money_records(moved)
    assert balances(program, tmp_path, records) == booked(records)


@pytest.mark.parametrize("program", BALANCES)
def test_program_notices_a_single_wei(tmp_path: Path, program: str) -> None:
    records = money_records([("orch-a", 123_456_789 * 10**18 + 1, "session_time", {}), ("orch-a", -1, "payout", {})])
    assert balances(program, tmp_path, records) == {
        f"{OWED}:Orch-a": -123_456_789 * 10**18,
        "Expenses:Session-time": 123_456_789 * 10**18 + 1,
        "Assets:Payouts": -1,
    }


@pytest.mark.parametrize("program", BALANCES)
@pytest.mark.parametrize("unit", ["usdc", "eth2"])
def test_other_units_are_accepted(tmp_path: Path, program: str, unit: str) -> None:
    records = money_records([("orch-a", 1, "session_time", {"credit_unit": unit})])
    path = tmp_path / "export"
    path.write_text("".join(FORMATS[program].write(records)))
    assert unit.upper() in path.read_text()
    tool(*(["hledger", "-f", str(path), "check", "--strict"] if program == "hledger" else ["bean-check", str(path)]))


def test_hledger_finds_an_entry_by_its_tags(tmp_path: Path) -> None:
    moved = [("orch-a", 7, "adjustment", {"reference": "ref, 1", "note": "a: b"}), ("orch-b", 8, "payout", {})]
    path = tmp_path / "export.journal"
    path.write_text("".join(hledger_text(money_records(moved))))
    found = tool("hledger", "-f", str(path), "print", "tag:^note=a: b$", "tag:seq=^1$")
    assert [line for line in found.splitlines() if "Orch" in line] == [
        "    Liabilities:Orchestrators:Orch-a    -0.000000000000000007 ETH"
    ]
    assert tool("hledger", "-f", str(path), "tags", "--values", "reference").strip() == r'"ref\u002c 1"'


def test_beancount_finds_an_entry_by_its_metadata(tmp_path: Path) -> None:
    moved = [("orch-a", 7, "adjustment", {"reference": 'say "x"\\', "delta_ms": 5}), ("orch-b", 8, "payout", {})]
    path = tmp_path / "export.beancount"
    path.write_text("".join(beancount_text(money_records(moved))))
    query = "SELECT any_meta('reference') AS said, any_meta('delta_ms') AS ms WHERE any_meta('seq') = 1"
    _, row, _ = csv.reader(io.StringIO(tool("bean-query", "-f", "csv", str(path), query)))
    assert [cell.strip() for cell in row] == ['say "x"\\', "5"]


@campaign(20)
@given(deltas(), st.sampled_from(sorted(FORMATS)))
def test_same_entries_make_the_same_text(moved: list[JSON], kind: str) -> None:
    once, again = ("".join(FORMATS[kind].write(iter(money_records(moved)))) for _ in range(2))
    assert once == again
