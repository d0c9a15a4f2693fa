"""Errors if ``--api-url`` has the wrong scheme of http and https, or the certificate is not trusted."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.command import refused, settle
from tests.harness import Answering, answering

NGINX = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>"
TLS_BEGINS = b"\x16"


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server with an untrusted certificate."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*make, *name, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def https(tls: ssl.SSLContext, to_plain: bytes) -> Iterator[int]:
    """Port of a server that does TLS handshakes, and answers plain requests with ``to_plain``."""

    def serve() -> None:
        while True:
            with suppress(OSError), listening.accept()[0] as connection:
                first = connection.recv(1, socket.MSG_PEEK)
                if not first:
                    return
                if first == TLS_BEGINS:
                    tls.wrap_socket(connection, server_side=True).close()
                else:
                    connection.recv(65536)
                    connection.sendall(to_plain)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = Thread(target=serve)
        serving.start()
        try:
            yield listening.getsockname()[1]
        finally:
            socket.create_connection(listening.getsockname()).close()
            serving.join()


class Plain(Answering):
    def do_GET(self) -> None:  # noqa: N802
        self.answer(200, {"status": "ok"})


def test_https_to_an_http_port_is_an_error() -> None:
    with answering(Plain) as url:
        wrong = url.replace("http:", "https:")
        said = refused("--api-url", wrong, "sessions", "list")
    assert (
        said == f"payments: PAY-O03 {wrong}: the server speaks http; start --api-url (PAYMENTS_API_URL) with http://\n"
    )


@pytest.mark.parametrize("to_plain", [NGINX, b"", b"\x15\x03\x01\x00\x02\x02\x46"], ids=["nginx", "nothing", "alert"])
def test_http_to_an_https_port_is_an_error(tls: ssl.SSLContext, to_plain: bytes) -> None:
    with https(tls, to_plain) as port:
        said = refused("--api-url", f"http://127.0.0.1:{port}", "sessions", "list")
    assert "the server speaks https; start --api-url (PAYMENTS_API_URL) with https://" in said


@pytest.mark.parametrize("to_plain", [NGINX, b""], ids=["nginx", "nothing"])
def test_an_untrusted_certificate_is_an_error(tls: ssl.SSLContext, to_plain: bytes) -> None:
    with https(tls, to_plain) as port:
        said = refused("--api-url", f"https://127.0.0.1:{port}", "sessions", "list")
    assert "its certificate is not trusted (self-signed certificate)" in said
    assert "REQUESTS_CA_BUNDLE" in said


def test_another_program_is_not_taken_for_https() -> None:
    class Stranger(Answering):
        def do_GET(self) -> None:  # noqa: N802
            self.answer(400, "no object")

    with answering(Stranger) as url:
        assert "without JSON: not the API of Payments" in refused("--api-url", url, "sessions", "list")
