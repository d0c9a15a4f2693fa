"""IP literals in one spelling, so that equal addresses are equal strings."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=16384)
def canonical_ip(text: str) -> str:
    """The canonical spelling of an IPv4 or IPv6 literal; IPv4-mapped IPv6 becomes IPv4 (rule 4.4).

    Raises ``ValueError`` for anything else, and for zone ids (``fe80::1%eth0``), which are local to one machine.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f'"{text}" is not an IPv4 or IPv6 address') from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f'"{text}" has a zone id; give the address without it')
        address = address.ipv4_mapped or address
    return str(address)
