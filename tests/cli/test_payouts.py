"""``payments payouts``: what the Safe is given to pay, and that what it paid is debited once, all of it or nothing."""

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from payments.cli import payout_files, payouts, recording
from payments.cli.options import Target
from payments.cli.payout_files import UnsettledFile, preparing_in
from payments.domain.ledger import Adjustment
from payments.domain.money import parse_signed_eth
from tests.cli.command import done, process, records, refused, run, settle
from tests.harness import Server, file_store, until

HEADER = "token_type,token_address,receiver,amount,id\n"
# Any digits will do: an address in small letters carries no checksum.
ALICE, BOB, CAROL = ("0x" + digit * 40 for digit in "123")
TX, OTHER_TX = "0x" + "a" * 64, "0x" + "b" * 64


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that the settings name."""
    return settle(tmp_path, monkeypatch)


def owe(orchestrator_id: str, amount: str, address: str | None = None, *where: str) -> None:
    """Register it, with ``address``, and owe it ``amount`` more."""
    options = ["--address", address] if address else []
    done(*where, "orchestrators", "add", orchestrator_id, *options)
    done(
        *where, "ledger", "adjust", orchestrator_id, amount, "--reference", f"{orchestrator_id} {amount}", "--note", "-"
    )


def owed(*where: str) -> dict[str, str]:
    """Every balance."""
    return {each["orchestrator_id"]: each["balance"] for each in records(*where, "ledger", "balances")}


def crowd(data: Path, count: int) -> None:
    """So many at one address, ``o-000`` owed one ETH, and each a wei more than the one before."""
    names = [f"o-{number:03}" for number in range(count)]
    data.mkdir(exist_ok=True)
    (data / "registry.json").write_text(json.dumps([{"orchestrator_id": name, "address": ALICE} for name in names]))
    store = file_store(data)
    store.execute([Adjustment(name, 10**18 + number, "r", "n") for number, name in enumerate(names)])
    store.close()


def pay(text: str, slip: str | None = None) -> None:
    """Lay out pay.csv, and its slip."""
    Path("pay.csv").write_text(HEADER + text)
    if slip is not None:
        Path("pay.csv.json").write_text(slip)


def record(*options: str) -> list[dict[str, Any]]:
    return records("payouts", "record", "--tx", TX, "pay.csv", *options)


def test_everyone_who_is_owed_enough_and_has_an_address_is_paid_all_of_it() -> None:
    owe("orch-a", "1.000000000000000001", ALICE)
    owe("orch-b", "0.01", BOB)
    owe("orch-dust", "0.009999999999999999", CAROL)
    owe("orch-nowhere", "5")
    owe("orch-indebted", "-1", CAROL)
    owe("orch-off", "2", ALICE)
    done("orchestrators", "disable", "orch-off")
    shown = {each["orchestrator_id"]: each for each in records("payouts", "prepare", "-o", "pay.csv")}
    assert Path("pay.csv").read_text() == (
        f"{HEADER}native,,{ALICE},1.000000000000000001,\nnative,,{BOB},0.01,\nnative,,{ALICE},2,\n"
    )
    assert {name: (each["file"], each["remark"]) for name, each in shown.items()} == {
        "orch-a": ("pay.csv", None),
        "orch-b": ("pay.csv", None),
        "orch-dust": (None, "left out: below the minimum of 0.01"),
        "orch-indebted": (None, "left out: it is owed nothing"),
        "orch-nowhere": (None, "left out: its record has no address"),
        "orch-off": ("pay.csv", "disabled, but still paid what it is owed"),
    }
    assert owed()["orch-a"] == "1.000000000000000001"


def test_prepared_file_is_debited_exactly_once_however_often_it_is_recorded() -> None:
    owe("orch-a", "1.000000000000000001", ALICE)
    owe("orch-b", "0.5", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")
    owe("orch-a", "0.25")
    outcomes = [[each["outcome"] for each in record()] for _ in range(3)]
    assert outcomes == [["recorded"] * 2, ["duplicate"] * 2, ["duplicate"] * 2]
    assert owed() == {"orch-a": "0.25", "orch-b": "0"}
    paid = {each["orchestrator_id"]: each for each in records("ledger", "events", "--reason", "payout")}
    assert {name: (each["amount"], each["metadata"]["tx_hash"]) for name, each in paid.items()} == {
        "orch-a": ("1.000000000000000001", TX), "orch-b": ("0.5", TX),
    }  # fmt: skip


def test_file_that_was_recorded_is_not_recorded_under_another_transaction() -> None:
    owe("orch-a", "1", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")
    record()
    owe("orch-a", "2")
    assert f"pay.csv was recorded under {TX}" in refused("payouts", "record", "--tx", OTHER_TX, "pay.csv")
    assert owed() == {"orch-a": "2"}


def test_wrong_hash_is_mended_as_it_is_said_and_nobody_is_paid_again() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "2", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")
    before = Path("pay.csv").read_bytes()
    record()
    owe("orch-a", "5")
    said = refused("payouts", "record", "--tx", OTHER_TX, "pay.csv")
    assert "pay nobody again" in said
    commands = [line.split() for line in said.splitlines() if line.startswith("  payments payouts")]
    (_, *mending), (_, *confirming) = commands
    assert mending == ["payouts", "record", "--tx", OTHER_TX, "--instead-of", TX, "pay.csv"]
    assert confirming == ["payouts", "record", "--tx", TX, "pay.csv"]
    assert f'--reference "not {TX}"' in said
    said = refused("payouts", "prepare", "-o", "next.csv")
    assert "pay.csv pays orch-a as well, and is not recorded to its end" in said
    assert f"  payments payouts record --tx {TX} pay.csv" in said
    done("ledger", "adjust", "orch-b", "2", "--reference", f"not {TX}", "--note", "-")
    assert "orch-a: 1 is still to be taken back" in refused(*mending)
    done("ledger", "adjust", "orch-a", "0.25", "--reference", f"not {TX}", "--note", "-")
    assert "orch-a: 0.75 is still to be taken back" in refused(*mending)
    assert owed() == {"orch-a": "5.25", "orch-b": "2"}
    assert "pay.csv pays orch-a, orch-b as well" in refused("payouts", "prepare", "-o", "next.csv")
    done("ledger", "adjust", "orch-a", "0.75", "--reference", f"not {TX}, rest", "--note", "-")
    assert [[each["outcome"] for each in records(*mending)] for _ in "12"] == [["recorded"] * 2, ["duplicate"] * 2]
    assert owed() == {"orch-a": "5", "orch-b": "0"}
    assert Path("pay.csv").read_bytes() == before
    done("payouts", "prepare", "-o", "next.csv")
    assert f"pay.csv was recorded under {OTHER_TX}" in refused("payouts", "record", "--tx", TX, "pay.csv")


def test_only_those_who_are_named_are_paid() -> None:
    for name in ("orch-a", "orch-b", "orch-c"):
        owe(name, "1", ALICE)
    shown = records("payouts", "prepare", "--orchestrator", "orch-c", "--orchestrator", "orch-a", "-o", "pay.csv")
    assert [each["orchestrator_id"] for each in shown] == ["orch-a", "orch-c"]
    assert "credited: nobody" in refused("payouts", "prepare", "--orchestrator", "nobody", "-o", "more.csv")
    record()
    assert owed() == {"orch-a": "0", "orch-b": "1", "orch-c": "0"}


def test_nothing_is_written_where_nobody_is_owed_enough() -> None:
    owe("orch-a", "1", ALICE)
    assert "0 payments" in run("payouts", "prepare", "--min", "1.1", "-o", "pay.csv").stderr
    assert not Path("pay.csv").exists()


def test_file_that_is_there_is_never_written_over() -> None:
    owe("orch-a", "1", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")
    before = Path("pay.csv").read_bytes(), Path("pay.csv.json").read_bytes()
    assert "pay.csv is there already" in refused("payouts", "prepare", "-o", "pay.csv")
    Path("pay.csv").unlink()
    assert "pay.csv.json is there already" in refused("payouts", "prepare", "-o", "pay.csv")
    assert Path("pay.csv.json").read_bytes() == before[1]


def test_nobody_is_paid_by_two_files_that_are_not_recorded() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    Path("other.json").write_text("{}")
    Path("other").write_text("no file of payouts")
    done("payouts", "prepare", "--orchestrator", "orch-a", "-o", "pay.csv")
    assert "pay.csv pays orch-a as well, and is not recorded" in refused("payouts", "prepare", "-o", "more.csv")
    assert not Path("more.csv").exists()
    done("payouts", "prepare", "--orchestrator", "orch-b", "-o", "more.csv")
    record()
    owe("orch-a", "2")
    done("payouts", "prepare", "--orchestrator", "orch-a", "-o", "next.csv")


def test_nobody_is_paid_again_while_a_file_is_recorded_in_part(server: Server) -> None:
    elsewhere = ("--api-url", server.url, "--token", Server.ADMIN)
    for name, address in (("orch-a", ALICE), ("orch-b", BOB)):
        owe(name, "1", address, *elsewhere)
    done(*elsewhere, "payouts", "prepare", "-o", "pay.csv")
    with Target(server.url, Server.ADMIN).connect() as api:
        api.call("POST", "/api/ledger/payouts", body={"orchestrator_id": "orch-b", "amount": "0.25", "tx_hash": TX})
    owe("orch-b", "0.25", None, *elsewhere)
    assert "1 of 2 payouts are recorded" in refused(*elsewhere, "payouts", "record", "--tx", TX, "pay.csv")
    said = refused(*elsewhere, "payouts", "prepare", "-o", "next.csv")
    assert "pay.csv pays orch-b as well, and is not recorded to its end" in said
    assert not Path("next.csv").exists()


def test_file_that_is_recorded_while_the_next_is_prepared_is_not_paid_again(monkeypatch: pytest.MonkeyPatch) -> None:
    owe("orch-a", "1", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")

    @contextmanager
    def recorded_behind_its_look(folder: Path) -> Iterator[Sequence[UnsettledFile]]:
        with preparing_in(folder) as unsettled:
            record()
            yield unsettled

    monkeypatch.setattr(payouts, "preparing_in", recorded_behind_its_look)
    assert "0 payments" in run("payouts", "prepare", "-o", "next.csv").stderr
    owe("orch-a", "2")
    Path("pay.csv.json").write_text(Path("pay.csv.json").read_text().replace('"debited": true', '"debited": false'))
    assert "pay.csv pays orch-a as well" in refused("payouts", "prepare", "-o", "next.csv")


def test_two_who_prepare_at_once_do_not_pay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    owe("orch-a", "1", ALICE)
    with preparing_in(Path()):
        other = process("payouts", "prepare", "-o", "pay.csv")
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1)
        assert not Path("pay.csv").exists()
        monkeypatch.setattr(payout_files, "_WITHIN_S", 0.1)
        assert "another payments payouts prepare is at work there" in refused("payouts", "prepare", "-o", "more.csv")
    assert other.wait(30) == 0
    assert "pay.csv pays orch-a as well" in refused("payouts", "prepare", "-o", "more.csv")


def test_nothing_is_prepared_beside_a_file_of_which_nobody_knows_whether_it_is_recorded() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    done("payouts", "prepare", "--orchestrator", "orch-a", "-o", "pay.csv")
    slip = Path("pay.csv.json")
    text = slip.read_text()
    slip.write_text(text.replace('"1"', '"2"'))
    assert "pay.csv.json: its checksum does not fit what it says; restore it first" in (
        refused("payouts", "prepare", "-o", "more.csv")
    )
    slip.unlink()
    assert "pay.csv pays orch-a as well, and is not recorded" in refused("payouts", "prepare", "-o", "more.csv")
    done("payouts", "prepare", "--orchestrator", "orch-b", "-o", "more.csv")
    slip.write_text(text)
    Path("pay.csv").rename("paying.txt")
    assert "pay.csv pays orch-a as well" in (
        refused("payouts", "prepare", "--orchestrator", "orch-a", "-o", "another.csv")
    )


def test_nobody_is_paid_by_the_records_before_a_broken_edit(data: Path) -> None:
    """What was edited may be the very address that no longer is to be paid."""
    owe("orch-a", "1", ALICE)
    path = data / "registry.json"
    sound = path.read_text()
    path.write_text(sound.replace(f'"{ALICE}",', f'"{BOB}"'))
    said = refused("payouts", "prepare", "-o", "pay.csv")
    assert f"{path}: not JSON" in said
    assert "fix the file first" in said
    assert not Path("pay.csv").exists()
    assert f"{path}: not JSON" in run("config", "check").stderr
    path.write_text(sound.replace(ALICE, BOB))
    done("payouts", "prepare", "-o", "pay.csv")
    assert BOB in Path("pay.csv").read_text()


def test_files_of_other_programs_are_none_of_its_business() -> None:
    owe("orch-a", "1", ALICE)
    for name in ("package.json", "tokens.csv.json"):
        Path(name).write_text('{"name": "something else"}')
    Path("tokens.csv").write_text("token,amount\n")
    Path("others.csv").write_text(f"{HEADER}erc20,{BOB},{ALICE},1,\n")
    done("payouts", "prepare", "-o", "pay.csv")


def test_transaction_that_paid_another_file_does_not_pay_this_one() -> None:
    owe("orch-a", "1", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")
    record()
    owe("orch-a", "1.0")
    done("payouts", "prepare", "-o", "next.csv")
    said = refused("payouts", "record", "--tx", TX, "next.csv")
    assert f"pay.csv was recorded under {TX}, and each file is paid by a transaction of its own" in said
    assert owed() == {"orch-a": "1"}
    assert [each["outcome"] for each in records("payouts", "record", "--tx", OTHER_TX, "next.csv")] == ["recorded"]


def test_credit_that_comes_between_the_look_and_the_debit_is_told_truly(monkeypatch: pytest.MonkeyPatch) -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    done("payouts", "prepare", "-o", "pay.csv")
    owe("orch-a", "-0.5")
    owe("orch-b", "-0.25")
    confirm = recording._confirm

    def credited(*arguments: Any) -> Any:
        owe("orch-a", "0.75")
        return confirm(*arguments)

    monkeypatch.setattr(recording, "_confirm", credited)
    said = refused("payouts", "record", "--tx", TX, "pay.csv")
    assert f"1 of 2 payouts are recorded under {TX}" in said
    assert f"pay.csv was recorded under {TX}" in refused("payouts", "record", "--tx", OTHER_TX, "pay.csv")
    owe("orch-b", "0.26")
    assert [each["outcome"] for each in record()] == ["duplicate", "recorded"]
    assert owed() == {"orch-a": "0.25", "orch-b": "0.01"}


def test_slip_of_an_earlier_version_is_settled_when_it_has_a_transaction() -> None:
    owe("orch-a", "1", ALICE)
    done("payouts", "prepare", "-o", "pay.csv")
    record()
    owe("orch-a", "2")
    slip = Path("pay.csv.json")
    slip.write_text(slip.read_text().replace(' "debited": true,\n', ""))
    done("payouts", "prepare", "-o", "next.csv")


def test_more_than_five_hundred_payments_become_several_files(data: Path) -> None:
    crowd(data, 501)
    done("payouts", "prepare", "-o", "pay.csv")
    assert [len(Path(name).read_text().splitlines()) for name in ("pay-1.csv", "pay-2.csv")] == [1 + 500, 1 + 1]
    assert not Path("pay.csv").exists()
    done("payouts", "record", "--tx", TX, "pay-2.csv")
    assert [name for name, balance in owed().items() if balance == "0"] == ["o-500"]


def test_folder_gets_a_file_named_after_the_time() -> None:
    owe("orch-a", "1", ALICE)
    Path("some").mkdir()
    done("payouts", "prepare", "-o", "some")
    [file] = Path("some").glob("payouts-*.csv")
    assert file.with_name(f"{file.name}.json").exists()


def test_folder_that_is_not_there_is_made_where_a_slash_says_that_it_is_one() -> None:
    owe("orch-a", "1", ALICE)
    done("payouts", "prepare", "--min", "2", "-o", "some/")
    assert not Path("some").exists()
    done("payouts", "prepare", "-o", "some/payouts/")
    assert len(list(Path("some/payouts").glob("payouts-*.csv"))) == 1
    assert Path("some/payouts").stat().st_mode & 0o777 == 0o700
    Path("file").write_text("")
    assert "file: cannot be made" in refused("payouts", "prepare", "-o", "file/")


def test_without_a_slip_the_registry_says_whose_the_receivers_are() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    pay(f"native,,{BOB.upper().replace('X', 'x')},0.25,\nnative,,{ALICE},0.5,\nnative,,{BOB},0.25,\n")
    assert [(each["orchestrator_id"], each["amount"]) for each in record()] == [("orch-b", "0.5"), ("orch-a", "0.5")]
    done("orchestrators", "add", "orch-b", "--address", CAROL)
    assert [each["outcome"] for each in record()] == ["duplicate", "duplicate"]
    assert owed() == {"orch-a": "0.5", "orch-b": "0.5"}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        pytest.param(f"native,,{CAROL},0.5,", f"{CAROL} is nobody's address", id="unknown"),
        pytest.param(f"native,,{BOB},0.5,", f"{BOB} is the address of orch-b, orch-c", id="ambiguous"),
        pytest.param(f"native,,{ALICE},0,", "line 3: its amount is not above zero", id="nothing"),
        pytest.param(f"native,,{ALICE},-1,", 'line 3: "-1" is not an amount', id="below zero"),
        pytest.param(
            f"native,,{ALICE},0.500000000000000001,",
            "orch-a: 1.000000000000000001 is more than the 1 that orch-a is owed",
            id="overdraft in two rows",
        ),
        pytest.param(f"erc20,{ALICE},{ALICE},1,", "line 3: it does not pay in ETH", id="token"),
    ],
)
def test_whole_file_is_refused_before_anything_is_debited(row: str, why: str) -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    owe("orch-c", "1", BOB)
    pay(f"native,,{ALICE},0.5,\n{row}\n")
    said = refused("payouts", "record", "--tx", TX, "pay.csv")
    assert why in said
    assert "nothing is recorded" in said
    assert owed() == {"orch-a": "1", "orch-b": "1", "orch-c": "1"}
    assert not Path("pay.csv.json").exists()


def test_overdraft_of_one_refuses_the_prepared_file_whole() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    done("payouts", "prepare", "-o", "pay.csv")
    owe("orch-b", "-0.5")
    assert "1 is more than the 0.5 that orch-b is owed" in refused("payouts", "record", "--tx", TX, "pay.csv")
    assert owed() == {"orch-a": "1", "orch-b": "0.5"}
    owe("orch-b", "0.51")
    assert [each["outcome"] for each in record()] == ["recorded", "recorded"]
    assert owed() == {"orch-a": "0", "orch-b": "0.01"}


def test_transaction_that_was_booked_otherwise_stops_the_rest_until_that_is_mended() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    done("payouts", "prepare", "-o", "pay.csv")
    with Target(None, None).connect() as api:
        api.call("POST", "/api/ledger/payouts", body={"orchestrator_id": "orch-b", "amount": "0.25", "tx_hash": TX})
    owe("orch-b", "0.25")
    said = refused("payouts", "record", "--tx", TX, "pay.csv")
    assert "was booked as -0.25 before" in said
    assert "1 of 2 payouts are recorded" in said
    assert owed() == {"orch-a": "0", "orch-b": "1"}


def test_file_that_was_changed_after_it_was_prepared_is_refused() -> None:
    owe("orch-a", "1", ALICE)
    owe("orch-b", "1", BOB)
    done("payouts", "prepare", "-o", "pay.csv")
    pay(f"native,,{ALICE},0.75,\nnative,,{BOB},1,\n")
    assert "row 1 pays 0.75 ETH" in refused("payouts", "record", "--tx", TX, "pay.csv")
    Path("pay.csv.json").write_text(Path("pay.csv.json").read_text().replace('"amount": "1"', '"amount": "0.75"', 1))
    assert "pay.csv.json: its checksum" in refused("payouts", "record", "--tx", TX, "pay.csv")
    assert owed() == {"orch-a": "1", "orch-b": "1"}
    Path("pay.csv.json").unlink()
    record()
    assert owed() == {"orch-a": "0.25", "orch-b": "0"}


def test_hash_that_is_none_is_refused() -> None:
    pay(f"native,,{ALICE},1,\n")
    assert run("payouts", "record", "--tx", "0x12", "pay.csv").exit_code == 2


def test_run_that_was_killed_half_way_is_completed_by_the_next(server: Server) -> None:
    elsewhere = ("--api-url", server.url, "--token", Server.ADMIN)
    crowd(server.data, 150)
    done(*elsewhere, "payouts", "prepare", "-o", "pay.csv")
    killed = process(*elsewhere, "payouts", "record", "--tx", TX, "pay.csv")
    until(lambda: server.get("/api/ledger/events", reason="payout", limit=1)["events"] != [])
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    half = [name for name, balance in owed(*elsewhere).items() if balance == "0"]
    assert 0 < len(half) < 150
    answers = records(*elsewhere, "payouts", "record", "--tx", TX, "pay.csv")
    assert sorted({each["outcome"] for each in answers}) == ["duplicate", "recorded"]
    assert set(owed(*elsewhere).values()) == {"0"}
    paid = server.get("/api/ledger/events", reason="payout", limit=2000)["events"]
    assert sum(parse_signed_eth(each["amount"]) for each in paid) == sum(10**18 + number for number in range(150))
