"""Asking hosts over https."""

import gc
import os
import select
import socket
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.worker.hosts import AWAKE, BLOCK, Act, HostConnection, running_host
from tests.worker.sweeping import ask_once
from worker.dial import _BoundedTLS

MOST_S = 2.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "host.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        capture_output=True, check=True,
    )  # fmt: skip
    file.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine trust the certificate."""
    monkeypatch.setattr("worker.dial.DEFAULT_CA_BUNDLE_PATH", str(certificate))


def drips(peer: HostConnection) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    peer.drip(b"X-Slow: xxx", every_s=0.1)


def floods(peer: HostConnection) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    peer.send_forever(BLOCK)


def floods_headers(peer: HostConnection) -> None:
    peer.read_request()
    peer.send_forever(b"HTTP/1.1 200 OK\r\nX: " + BLOCK)


def test_certificate_that_nobody_trusts_is_unknown(tls: ssl.SSLContext) -> None:
    with running_host(AWAKE, tls=tls) as host:
        answer = ask_once(host.url)
    assert answer == ("unknown", "no HTTP answer (SSLError)")
    assert host.peers[0].request == b""


@pytest.mark.usefixtures("trusted")
def test_host_with_a_trusted_certificate_is_understood(tls: ssl.SSLContext) -> None:
    with running_host(AWAKE, tls=tls) as host:
        assert ask_once(host.url).state == "awake"


@pytest.mark.usefixtures("trusted")
def test_certificate_of_another_host_is_unknown(tls: ssl.SSLContext) -> None:
    with running_host(AWAKE, "127.0.0.2", tls=tls) as host:
        assert ask_once(host.url).state == "unknown"
    assert host.peers[0].request == b""


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("act", [drips, floods, floods_headers])
def test_answer_over_tls_is_as_bounded_as_any(act: Act, tls: ssl.SSLContext) -> None:
    with running_host(act, tls=tls) as host:
        answer, seconds = timed(host.url)
    assert answer == "unknown"
    assert seconds < MOST_S
    assert host.peers[0].sent_bytes < 128 * 1024


def test_handshake_that_drips_is_given_up_in_time() -> None:
    def act(peer: HostConnection) -> None:
        # The header of a handshake record of 16 KB.
        peer.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        peer.drip(b"\x03\x03\x00", every_s=0.1)

    with running_host(act) as host:
        answer, seconds = timed(host.url.replace("http:", "https:"))
    assert (answer, seconds < MOST_S) == ("unknown", True)


@pytest.mark.parametrize("host_does", [AWAKE, lambda peer: peer.wait(), lambda peer: peer.reset()])
def test_tls_to_a_plain_port_is_unknown(host_does: Act) -> None:
    with running_host(host_does) as host:
        answer, seconds = timed(host.url.replace("http:", "https:"))
    assert (answer, seconds < MOST_S) == ("unknown", True)


def test_socket_that_is_reset_before_the_handshake_is_closed() -> None:
    """``ssl`` detaches the socket unchanged."""
    context = ssl.create_default_context()
    context.sslsocket_class = _BoundedTLS
    with socket.create_server(("127.0.0.1", 0)) as server:
        plain = socket.create_connection(server.getsockname())
        number, inode = plain.fileno(), os.fstat(plain.fileno()).st_ino
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        # The next call fails only once the reset has arrived.
        select.select([plain], [], [])
        with pytest.raises(ConnectionResetError):
            context.wrap_socket(plain, server_hostname="host.example")
        gc.collect()
        # Another thread may have reused the descriptor by now.
        with suppress(OSError):
            assert os.readlink(f"/proc/self/fd/{number}") != f"socket:[{inode}]"


def timed(url: str) -> tuple[str, float]:
    """The reading and how long it took, with a time-out of one second."""
    begun_s = time.monotonic()
    return ask_once(url, timeout_s=1).state, time.monotonic() - begun_s
