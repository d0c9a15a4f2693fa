"""Parses addresses of servers as people write them: ``HOST:PORT``, and http:// URLs. Pure.

What is accepted can be connected to as written, if a server is there.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

from payments.errors import quoted


class Endpoint(NamedTuple):
    """A host, by its name or address (IPv6 without brackets), and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_host(text: str) -> bool:
    """Whether ``text`` is the name of a host, an IPv4 address, or an IPv6 address in brackets."""
    try:
        if text.startswith("["):
            return text.endswith("]") and bool(IPv6Address(text[1:-1]))
        if re.fullmatch(r"[0-9.]+", text):
            return bool(IPv4Address(text))
    except AddressValueError:
        return False
    return bool(re.fullmatch(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", text))


def read_endpoint(text: str) -> Endpoint:
    """``HOST:PORT``. Raises ``ValueError``."""
    host, _, port = text.rpartition(":")
    # A zone (fe80::1%eth0) means something on one machine only.
    if not text.isascii() or "%" in text or not is_host(host) or not _is_port(port):
        raise ValueError(f"{quoted(text)} is not HOST:PORT, such as 192.0.2.7:80 or [2001:db8::7]:80")
    return Endpoint(host.strip("[]"), int(port))


def read_http_url(text: str, *, is_base: bool = False) -> str:
    """``text`` if it is an http:// or https:// URL; with ``is_base``, one to which paths can be appended.

    Raises ``ValueError``, which never quotes a password.
    """
    if "@" in text:
        raise ValueError('leave out user and password: an address has no "@" here')
    try:
        parts = urlsplit(text)
        host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
        is_sound = parts.scheme in ("http", "https") and is_host(host) and parts.port != 0
    except ValueError:
        is_sound = False
    # urlsplit drops tabs and line ends.
    if not is_sound or not text.isprintable() or " " in text or (is_base and set(text) & set("?#")):
        without = " and without ? or #" if is_base else ""
        raise ValueError(
            f"{quoted(text)} is not an http:// or https:// address, such as http://192.0.2.1:8081{without}"
        )
    return text


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) < 65536
