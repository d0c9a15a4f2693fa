"""Which addresses are never asked, however they are spelled (rule 6.5).

Addresses come from records, and requests to them come from inside the network of Payments, so a record must not lead
them to internal services (SSRF). Operators may use loopback and private addresses. The addresses below never belong to
a game host: they reach all neighbours at once, or services that hand out the machine's credentials.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REFUSED = {
    ip_network(network): why
    for network, why in (
        ("0.0.0.0/8", "is unspecified"),
        ("169.254.0.0/16", "is link-local"),
        ("224.0.0.0/4", "is multicast"),
        ("240.0.0.0/4", "is reserved"),
        # Metadata services outside the link-local range: Oracle's, Alibaba's, Azure's, Amazon's, Google's.
        ("192.0.0.0/24", "is reserved for protocols, and metadata services"),
        ("100.100.100.200/32", "is a metadata service"),
        ("168.63.129.16/32", "is a metadata service"),
        # All Amazon services there: metadata, container credentials, and more.
        ("fd00:ec2::/32", "is a metadata service"),
        ("fd00:c1::a9fe:a9fe/128", "is a metadata service"),
        ("fd20:ce::254/128", "is a metadata service"),
        ("::/128", "is unspecified"),
        # The position of the IPv4 address in it depends on the network (RFC 8215).
        ("64:ff9b:1::/48", "is a translator's, for any address"),
        ("fe80::/10", "is link-local"),
        ("fec0::/10", "is site-local"),
        ("ff00::/8", "is multicast"),
    )
}
_WITH_IPV4_LAST = tuple(
    ip_network(network)
    # Mapped, translated and compatible (RFC 4291, 2765), and NAT64 (RFC 6052).
    for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96")
)
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOOPBACK = IPv6Address("::1")


def refusal(text: str) -> str | None:
    """Why the address literal ``text`` is never asked; ``None`` if it may be."""
    address = ip_address(text.partition("%")[0])
    for meant in (address, *_embedded(address)):
        for network, why in _REFUSED.items():
            if meant in network:
                return f"{address} {why}" if meant == address else f"{address} stands for {meant}, which {why}"
    return None


def _embedded(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address may be translated or tunnelled to."""
    if isinstance(address, IPv4Address) or address == _LOOPBACK:
        return
    number = int(address)
    if any(address in network for network in _WITH_IPV4_LAST) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
