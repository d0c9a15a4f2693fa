"""Some addresses are never asked, in any spelling, and nothing gets around the check."""

import socket
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.harness import free_port
from tests.worker.hosts import AWAKE, PowerHost, running_host
from tests.worker.sweeping import ask_once, sweeping
from worker.addresses import refusal

REFUSED = {
    "metadata": "169.254.169.254",
    "container-credentials": "169.254.170.2",
    "link-local": "169.254.1.1",
    "oracle-metadata": "192.0.0.192",
    "alibaba-metadata": "100.100.100.200",
    "azure-metadata": "168.63.129.16",
    "amazon-metadata-over-ipv6": "fd00:ec2::254",
    "amazon-pod-credentials-over-ipv6": "fd00:ec2::23",
    "google-metadata-over-ipv6": "fd20:ce::254",
    "oracle-metadata-over-ipv6": "fd00:c1::a9fe:a9fe",
    "unspecified": "0.0.0.0",
    "this-network": "0.1.2.3",
    "multicast": "224.0.0.1",
    "more-multicast": "239.255.255.250",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "unspecified-over-ipv6": "::",
    "link-local-over-ipv6": "fe80::1",
    "link-local-with-a-zone": "fe80::1%lo",
    "link-local-with-a-number-for-a-zone": "fe80::a9fe:a9fe%1",
    "link-local-at-its-end": "febf::1",
    "site-local": "fec0::1",
    "multicast-over-ipv6": "ff02::1",
    "multicast-with-a-zone": "ff02::1%lo",
    "mapped": "::ffff:169.254.169.254",
    "mapped-in-hex": "::ffff:a9fe:a9fe",
    "mapped-unspecified": "::ffff:0.0.0.0",
    "mapped-multicast": "::ffff:224.0.0.1",
    "translated": "::ffff:0:169.254.169.254",
    "compatible": "::169.254.169.254",
    "nat64": "64:ff9b::a9fe:a9fe",
    "nat64-to-oracle": "64:ff9b::c000:c0",
    "nat64-of-ones-own": "64:ff9b:1::a9fe:a9fe",
    "nat64-of-ones-own-elsewhere": "64:ff9b:1:a9fe:a9:fe00::",
    "6to4": "2002:a9fe:a9fe::1",
    "6to4-multicast": "2002:e000:1::",
    "teredo-client": "2001:0:cb00:7101:0:0:5601:5601",
    "teredo-server": "2001:0:a9fe:a9fe::",
    "isatap": "2001:db8::5efe:a9fe:a9fe",
    "isatap-of-a-global-address": "2001:db8::200:5efe:a9fe:a9fe",
}  # fmt: skip
ASKED = {
    "loopback": "127.0.0.1",
    "loopback-elsewhere": "127.1.2.3",
    "private": "10.0.0.1",
    "private-too": "192.168.1.1",
    "shared": "100.64.0.1",
    "beside-metadata": "100.100.100.201",
    "global": "203.0.113.10",
    "loopback-over-ipv6": "::1",
    "unique-local": "fd12:3456:789a::1",
    "global-over-ipv6": "2001:db8::1",
    "mapped": "::ffff:203.0.113.10",
    "nat64": "64:ff9b::cb00:710a",
    "6to4": "2002:cb00:710a::1",
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in REFUSED.items()])
def test_address_is_refused(text: str) -> None:
    why = refusal(text)
    assert why is not None
    assert why.startswith(str(ip_address(text.partition("%")[0])))


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in ASKED.items()])
def test_address_is_asked(text: str) -> None:
    assert refusal(text) is None


SPELLINGS = {
    "as-it-is": "169.254.169.254",
    "one-number": "2852039166",
    "hex": "0xa9fea9fe",
    "hex-parts": "0xA9.0xFE.0xA9.0xFE",
    "octal": "0251.0376.0251.0376",
    "mixed": "169.0xfe.0124776",
    "three-parts": "169.254.43518",
    "two-parts": "169.16689662",
    "leading-zeros-in-hex": "0x00000000a9fea9fe",
    "trailing-dot": "169.254.169.254.",
    "full-width": "\uff11\uff16\uff19.254.169.254",
    "ideographic-dots": "169\u3002254\u3002169\u3002254",
    "circled": "\u2460\u2465\u2468.254.169.254",
    "percent-encoded": "%31%36%39.254.169.254",
    "zero": "0",
    "zero-in-hex": "0x0",
    "zeros": "0.0",
    "broadcast-as-a-number": "4294967295",
    "mapped": "[::ffff:169.254.169.254]",
    "zone": "[fe80::1%25lo]",
    "bare-zone": "[fe80::1%lo]",
    "whole-ipv6": "[0000:0000:0000:0000:0000:ffff:a9fe:a9fe]",
    "upper-case": "[::FFFF:A9FE:A9FE]",
    "nat64": "[64:ff9b::169.254.169.254]",
    "user-in-front": "127.0.0.1@169.254.169.254",
}


@pytest.fixture
def no_connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record where sockets would connect, without connecting."""
    wanted: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        wanted.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("worker.dial._Bounded.connect", connect, raising=False)
    return wanted


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", [pytest.param(host, id=name) for name, host in SPELLINGS.items()])
def test_no_spelling_gets_a_connection(host: str, scheme: str, no_connections: list[Any]) -> None:
    answer = ask_once(f"{scheme}://{host}:{free_port()}/power")
    assert answer.state == "unknown"
    assert no_connections == []
    assert answer.detail is not None
    assert answer.detail.isprintable()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the resolver return these lists of addresses for any name, one at a time, repeating the last."""
    real, asked = socket.getaddrinfo, []

    def getaddrinfo(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [each for address in found for each in real(address, port, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "found",
    [["169.254.169.254"], ["127.0.0.1", "169.254.169.254"], ["::ffff:169.254.169.254"], ["fe80::1%1"], ["0.0.0.0"]],
    ids="-and-".join,
)
def test_name_of_a_refused_address_is_not_asked(found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds even if it has another address too."""
    resolve_to(monkeypatch, found)
    with running_host(AWAKE) as host:
        answer = ask_once(f"http://games.example:{host.port}/power")
    assert answer.state == "unknown"
    assert "never asked: " in str(answer.detail)
    assert host.asked == 0


def test_address_that_was_checked_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver could answer differently the second time, so it is asked only once."""
    with running_host(AWAKE) as host:
        asked = resolve_to(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
        assert ask_once(f"http://games.example:{host.port}/power").state == "awake"
    assert asked == ["games.example"]
    assert b"\r\nHost: games.example:%d\r\n" % host.port in host.peers[0].request


def test_the_next_address_of_a_name_is_tried_where_one_takes_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_host(AWAKE) as host:
        resolve_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
        assert ask_once(f"http://games.example:{host.port}/power").state == "awake"


@pytest.mark.parametrize(
    "name", ["no-such-host.invalid", "a..b", "x" * 64 + ".example", "\u0000", "-", "localhost.localdomain.invalid"]
)
def test_name_without_an_address_is_unknown(name: str) -> None:
    answer = ask_once(f"http://{name}:1/power", timeout_s=20)
    assert answer.state == "unknown"
    assert str(answer.detail).isprintable()


PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]


@pytest.mark.parametrize("variable", PROXY_VARIABLES)
def test_proxies_of_the_environment_are_not_heeded(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_host(AWAKE) as host, running_host(AWAKE) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        assert ask_once(host.url).state == "awake"
        assert ask_once(f"http://169.254.169.254:{proxy.port}/power").state == "unknown"
    assert (host.asked, proxy.asked) == (1, 0)


def test_credentials_of_a_netrc_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login s3cret password s3cret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with running_host(AWAKE) as host:
        ask_once(host.url)
    assert b"authorization" not in host.peers[0].request.lower()


def test_refused_record_leaves_the_others_alone(tmp_path: Path) -> None:
    with closing(PowerHost(AWAKE)) as host, sweeping(tmp_path) as here:
        power = here.sweep_urls(good=host.url, bad=f"http://0xa9fea9fe:{host.port}/power")
    assert (power["good"].state, power["bad"].state) == ("awake", "unknown")
    assert power["bad"].detail == "never asked: 169.254.169.254 is link-local"
    assert host.asked == 1
