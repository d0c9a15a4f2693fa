"""Valid fields of a record, in the document and over HTTP alike."""

from typing import Any

import pytest
from marshmallow import ValidationError

from payments.registry import RecordSchema
from payments.registry.records import checksum_address

EIP_55_VECTORS = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
"""From https://eips.ethereum.org/EIPS/eip-55: two upper case, two lower case, four mixed."""

ADDRESS = EIP_55_VECTORS[4]

GOOD: dict[str, list[Any]] = {
    "orchestrator_id": ["a", "x" * 128, "Orch_1.eu:2@host+3-4", "..."],
    "address": [None, ADDRESS],
    "host_public_ip": [None, "203.0.113.10", "2001:db8::1"],
    "host_name": [None, "h", "host.example", "h\u00f6st", "x" * 253],
    "power_url": [None, "http://h", "https://[2001:db8::1]:9090/power?x=1"],
    "enabled": [True, False],
}

BAD: dict[str, list[Any]] = {
    "orchestrator_id": [None, "", 1, True, [], {}, "a b", "a/b", "a\n", ".", "..", "\u00e9", "x" * 129, "\ud800"],
    "address": ["", "0x", 1, ADDRESS[2:], ADDRESS[:-1], ADDRESS + "0", "0X" + ADDRESS[2:], ADDRESS + "\n", "\ud800"],
    "host_public_ip": ["", 1, "host.example", "203.0.113.10:80", "203.0.113.010", "10.1", "fe80::1%eth0", "1.2.3.4/32"],
    "host_name": ["", 1, "a\x00", "a\nb", "x" * 254, "\ud800"],
    "power_url": ["", 1, "h", "http://user:pass@h", "http://h/" + "x" * 2000, "\ud800"],
    "enabled": [None, 0, 1, "true", "yes", []],
}  # fmt: skip


@pytest.mark.parametrize("address", EIP_55_VECTORS)
def test_eip_55_vectors_are_spelled_as_the_eip_says(address: str) -> None:
    assert checksum_address(address) == address
    assert checksum_address(address.lower()) == address
    assert checksum_address("0x" + address[2:].upper()) == address


@pytest.mark.parametrize("address", EIP_55_VECTORS[4:])
def test_one_letter_in_the_other_case_fails_the_checksum(address: str) -> None:
    for place, letter in enumerate(address[2:], start=2):
        if letter.isalpha():
            with pytest.raises(ValueError, match="EIP-55 checksum"):
                checksum_address(address[:place] + letter.swapcase() + address[place + 1 :])


def test_wrong_checksum_is_refused_naming_the_field() -> None:
    with pytest.raises(ValidationError) as caught:
        RecordSchema().load({"orchestrator_id": "orch-a", "address": ADDRESS.replace("aAeb", "AAeb")})
    assert list(caught.value.messages_dict) == ["address"]


@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param(field, value, id=f"{field}={value!a:.40}") for field, values in GOOD.items() for value in values],
)
def test_value_is_taken(field: str, value: Any) -> None:
    assert RecordSchema().load({"orchestrator_id": "orch-a", field: value})[field] == value


@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param(field, value, id=f"{field}={value!a:.40}") for field, values in BAD.items() for value in values],
)
def test_value_is_refused_naming_its_field(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        RecordSchema().load({"orchestrator_id": "orch-a", field: value})
    assert list(caught.value.messages_dict) == [field]


@pytest.mark.parametrize("field", ["registered_at", "updated_at", "adress", ""])
def test_unknown_field_is_refused(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RecordSchema().load({"orchestrator_id": "orch-a", field: "x"})
    assert list(caught.value.messages_dict) == [field]
