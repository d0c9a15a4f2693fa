"""Each address has one spelling, because attribution compares strings."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.addresses import canonical_ip
from tests.harness import campaign


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        pytest.param("203.0.113.10", "203.0.113.10", id="v4"),
        pytest.param("::ffff:203.0.113.10", "203.0.113.10", id="mapped"),
        pytest.param("::FFFF:203.0.113.10", "203.0.113.10", id="mapped-upper-case"),
        pytest.param("::ffff:cb00:710a", "203.0.113.10", id="mapped-in-hex"),
        pytest.param("0:0:0:0:0:ffff:203.0.113.10", "203.0.113.10", id="mapped-in-full"),
        pytest.param("2001:DB8:0:0:0:0:0:1", "2001:db8::1", id="v6"),
        pytest.param("2001:0db8::0001", "2001:db8::1", id="v6-leading-zeros"),
        pytest.param("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", id="v6-one-zero-group-stays"),
        pytest.param("::203.0.113.10", "::cb00:710a", id="v4-compatible-is-another-address"),
        pytest.param("64:ff9b::203.0.113.10", "64:ff9b::cb00:710a", id="nat64-is-another-address"),
    ],
)
def test_address_gets_its_usual_spelling(text: str, spelled: str) -> None:
    assert canonical_ip(text) == spelled


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("fe80::1%eth0", "zone id", id="zone-id"),
        pytest.param("::ffff:203.0.113.10%1", "zone id", id="zone-id-on-mapped"),
        pytest.param("203.0.113.10%eth0", "is not an IPv4 or IPv6 address", id="zone-id-on-v4"),
        pytest.param("", "is not an IPv4 or IPv6 address", id="empty"),
        pytest.param("localhost", "is not an IPv4 or IPv6 address", id="name"),
        pytest.param("203.0.113", "is not an IPv4 or IPv6 address", id="three-parts"),
        pytest.param("203.0.113.256", "is not an IPv4 or IPv6 address", id="part-too-large"),
        pytest.param("203.0.113.010", "is not an IPv4 or IPv6 address", id="octal-or-not"),
        pytest.param("3405803786", "is not an IPv4 or IPv6 address", id="number"),
        pytest.param("0xcb.0.113.10", "is not an IPv4 or IPv6 address", id="hex-part"),
        pytest.param("203.0.113.10:8888", "is not an IPv4 or IPv6 address", id="with-port"),
        pytest.param("[2001:db8::1]", "is not an IPv4 or IPv6 address", id="brackets"),
        pytest.param("203.0.113.0/24", "is not an IPv4 or IPv6 address", id="network"),
        pytest.param(" 203.0.113.10", "is not an IPv4 or IPv6 address", id="space-before"),
        pytest.param("203.0.113.10\n", "is not an IPv4 or IPv6 address", id="newline-behind"),
        pytest.param("\N{FULLWIDTH DIGIT TWO}03.0.113.10", "is not an IPv4 or IPv6 address", id="wide-digit"),
        pytest.param("1::2::3", "is not an IPv4 or IPv6 address", id="two-gaps"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        canonical_ip(text)


@given(st.integers(0, 2**32 - 1))
@campaign(200)
def test_mapped_address_equals_its_ipv4(number: int) -> None:
    plain = str(IPv4Address(number))
    assert canonical_ip(f"::ffff:{plain}") == canonical_ip(str(IPv6Address(0xFFFF << 32 | number))) == plain


@given(st.integers(0, 2**128 - 1))
@campaign(200)
def test_every_spelling_of_an_address_becomes_the_same(number: int) -> None:
    address = IPv6Address(number)
    spelled = canonical_ip(address.compressed)
    for text in (address.exploded, address.exploded.upper(), address.compressed.upper(), spelled):
        assert canonical_ip(text) == spelled
