"""nginx accepts the site file as shipped, and the file has every route and header of the API."""

import re
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.deploy.proxy import SITE, Proxied, Proxy, running_proxy, substituted
from tests.harness import ROOT, free_port, until


def test_nginx_takes_it_as_shipped_without_a_warning(tmp_path: Path) -> None:
    said = Proxy(tmp_path).tested()
    assert "test is successful" in said
    assert not re.search(r"\[(warn|error|emerg|alert|crit)\]", said)


def test_substitution_that_does_not_apply_is_noticed() -> None:
    with pytest.raises(AssertionError, match="is there 0 times"):
        substituted(SITE.read_text(), {"listen 8080;": "listen 1;"})


def test_taking_the_hash_from_three_lines_switches_tls_on(tmp_path: Path) -> None:
    key, certificate, port = tmp_path / "key.pem", tmp_path / "certificate.pem", free_port()
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, *name, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    folder = "/etc/letsencrypt/live/payments.example"
    lines = {
        "    # listen 443 ssl;": f"    listen 127.0.0.1:{port} ssl;",
        f"    # ssl_certificate      {folder}/fullchain.pem;": f"    ssl_certificate {certificate};",
        f"    # ssl_certificate_key  {folder}/privkey.pem;": f"    ssl_certificate_key {key};",
    }
    assert "[warn]" not in Proxy(tmp_path / "tested", lines).tested()
    with running_proxy(tmp_path / "running", lines) as proxy:
        until(lambda: proxy.folder.joinpath("nginx.pid").exists())
        context = ssl.create_default_context(cafile=str(certificate))
        asked = urllib.request.Request(f"https://localhost:{port}/healthz", method="GET")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked, context=context, timeout=10)
        assert caught.value.code == 503
        assert caught.value.headers["Strict-Transport-Security"] == "max-age=31536000"
        caught.value.close()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((urllib.error.URLError, ssl.SSLError)):
            urllib.request.urlopen(asked, context=old, timeout=10)


def test_log_has_a_name_for_every_route_of_the_api(proxied: Proxied) -> None:
    routes = set(proxied.get("/openapi.json")["paths"]) | {"/openapi.json", "/docs"}
    named = set(re.findall(r'^    "~\S+ +"?(/[^";]*)"?;$', SITE.read_text(), re.MULTILINE))
    assert named == routes


def test_every_header_that_the_api_reads_is_passed_on() -> None:
    source = "\n".join(path.read_text() for path in sorted((ROOT / "payments" / "web").rglob("*.py")))
    read = {name.title().replace("_", "-") for name in re.findall(r'"HTTP_([A-Z_]+)"', source)}
    read |= set(re.findall(r'headers\.get\("([A-Za-z-]+)"', source))
    read |= set(re.findall(r'"(X-[A-Z][a-z]+-Token)"', source))
    passed = {name.title() for name in re.findall(r"proxy_set_header (\S+)", SITE.read_text())}
    assert {"Authorization", "X-Request-Id", "X-Session-Token", "X-Admin-Token", "Accept"} <= read
    assert read <= passed
