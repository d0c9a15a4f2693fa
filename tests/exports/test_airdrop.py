"""The CSV that Safe's CSV Airdrop app reads, and the slip that says whom each of its rows pays."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.exports.airdrop import Payment, Slip, airdrop_text, difference, read_airdrop, read_slip, slip_text
from tests.exports.records import TEXTS
from tests.harness import campaign

ALICE, BOB = "0x" + "aA" * 20, "0x" + "0b" * 20
TX = "0x" + "1" * 64
HEADER = "token_type,token_address,receiver,amount,id\n"
SLIP = Slip([Payment("orch-a", ALICE, 10**14), Payment("orch-b", BOB, 1)])
PAYMENTS = st.lists(
    st.builds(Payment, TEXTS, st.sampled_from([ALICE, BOB]), st.integers(1, 10**27)), min_size=1, max_size=20
)


def test_file_is_what_the_app_reads() -> None:
    assert airdrop_text(SLIP.payments) == f"{HEADER}native,,{ALICE},0.0001,\nnative,,{BOB},0.000000000000000001,\n"


@campaign(40)
@given(PAYMENTS, st.sampled_from([None, TX]))
def test_file_and_slip_are_read_back_to_the_wei(payments: list[Payment], tx_hash: str | None) -> None:
    rows = read_airdrop(airdrop_text(payments).encode())
    slip = read_slip(slip_text(Slip(payments, tx_hash)).encode())
    assert slip == Slip(payments, tx_hash)
    assert difference(rows, slip) is None


def test_file_that_a_spreadsheet_has_saved_again_still_pays_the_same() -> None:
    text = "\ufeff" + airdrop_text(SLIP.payments).replace("\n", "\r\n").replace("native", '"native"') + "\r\n"
    assert difference(read_airdrop(text.encode()), SLIP) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "first line is not", id="empty"),
        pytest.param("receiver,amount\n", "first line is not", id="other columns"),
        pytest.param(HEADER, "it pays nobody", id="no rows"),
        pytest.param(f"{HEADER}native,,{BOB},0,\n", "line 2: its amount is not above zero", id="nothing"),
        pytest.param(f"{HEADER}native,,{BOB},0.000,\n", "line 2: its amount is not above zero", id="long nothing"),
        pytest.param(f"{HEADER}native,,{BOB},-1,\n", 'line 2: "-1" is not an amount', id="below zero"),
        pytest.param(f"{HEADER}native,,{BOB},1e3,\n", 'line 2: "1e3" is not an amount', id="exponent"),
        pytest.param(f"{HEADER}native,,{BOB},0.0000000000000000001,\n", "not an amount", id="less than a wei"),
        pytest.param(f"{HEADER}erc20,{ALICE},{BOB},1,\n", "line 2: it does not pay in ETH", id="a token"),
        pytest.param(f"{HEADER}native,,{BOB}\n", "line 2: 3 cells where there must be 5", id="too few cells"),
        pytest.param(f"{HEADER}native,,{BOB},1,\nnative,,{BOB},x,\n", "line 3", id="second row"),
        pytest.param(f'{HEADER}native,,"{BOB}\n', "not a CSV file", id="open quotation"),
    ],
)
def test_file_that_pays_otherwise_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_airdrop(text.encode())


def test_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not a CSV file in UTF-8"):
        read_airdrop(b"\xff\xfe\x00")


@pytest.mark.parametrize("name", ["orchestrator_id", "receiver", "amount"])
def test_slip_that_was_changed_is_refused(name: str) -> None:
    document = json.loads(slip_text(SLIP))
    document["payments"][1][name] = document["payments"][0][name]
    with pytest.raises(ValueError, match="checksum"):
        read_slip(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":2}', b'{"format":1,"checksum":"","payments":[{}]}'])
def test_what_is_no_slip_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_slip(data)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{HEADER}native,,{ALICE},0.0001,\n", "row 2 pays nobody, and was prepared to pay 0.000000000000000001 ETH"),
        (f"{HEADER}native,,{BOB},0.0001,\nnative,,{BOB},0.000000000000000001,\n", "row 1 pays 0.0001 ETH to 0x0b"),
        (f"{HEADER}native,,{ALICE},0.0002,\nnative,,{BOB},0.000000000000000001,\n", "row 1 pays 0.0002 ETH"),
        (airdrop_text([*SLIP.payments, *SLIP.payments]), "row 3 pays 0.0001 ETH to .*, and was prepared to pay nobody"),
    ],
    ids=["a row less", "another receiver", "another amount", "more rows"],
)
def test_difference_is_named(text: str, why: str) -> None:
    assert re.match(why, difference(read_airdrop(text.encode()), SLIP) or "")
