"""nginx with the shipped site, unprivileged and in the foreground, in front of gunicorn on a unix socket."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness import ROOT, Server, end, ended, free_port, journal_lines

SITE = ROOT / "deploy" / "nginx" / "payments.conf"
MAIN = """\
{user}worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
events {{
    worker_connections 768;
}}
http {{
    access_log off;
    gzip on;
    ssl_prefer_server_ciphers on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
"""Debian's nginx.conf, without what needs root."""


def substituted(text: str, replacements: Mapping[str, str]) -> str:
    """``text`` with ``replacements``, each of which must match exactly once."""
    for old, new in replacements.items():
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def nginx() -> str:
    """The nginx program: from the ``PATH``, Debian's place, or unpacked by run.sh."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", str(Path(sys.executable).parent)]
    found = shutil.which("nginx", path=os.pathsep.join(places))
    assert found is not None, "nginx is missing: tests/run.sh fetches it"
    return found


class Proxy:
    """The shipped site.

    Attributes:
        port, url: its address; ``socket``: gunicorn's address; ``log``, ``errors``: nginx's logs.
    """

    def __init__(self, folder: Path, replacements: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.socket = folder / "api.sock"
        self.log, self.errors = folder / "payments.log", folder / "payments-error.log"
        paths = {
            "    listen 8081;": f"    listen 127.0.0.1:{self.port};",
            "server unix:/run/payments/api.sock;": f"server unix:{self.socket};",
            "/var/log/nginx/payments.log": str(self.log),
            "/var/log/nginx/payments-error.log": str(self.errors),
        }
        (folder / "site.conf").write_text(substituted(SITE.read_text(), {**paths, **(replacements or {})}))
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        self.process: subprocess.Popen[bytes] | None = None

    def tested(self) -> str:
        """Output of ``nginx -t``, which must succeed."""
        run = subprocess.run([*self._command(), "-t"], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stderr

    def start(self) -> None:
        with (self.folder / "nginx.out").open("ab") as out:
            self.process = subprocess.Popen(self._command(), stdout=out, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, patience_s=10)

    def lines(self) -> list[dict[str, Any]]:
        """The access log; each line must be a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def line_of(self, request_id: str) -> dict[str, Any] | None:
        """The log line of that request; ``None``: not written yet."""
        found = [line for line in self.lines() if line["request_id"] == request_id]
        assert len(found) <= 1, found
        return found[0] if found else None

    def _command(self) -> list[str]:
        return [nginx(), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.errors)]


class Proxied(Server):
    """A server behind ``proxy``: calls go through nginx."""

    def __init__(self, folder: Path, proxy: Proxy, settings: Mapping[str, str] | None = None) -> None:
        self.proxy = proxy
        behind = {"PAYMENTS_BIND": f"unix:{proxy.socket}", "PAYMENTS_BEHIND_PROXY": "true"}
        super().__init__(folder, {**behind, **(settings or {})})
        self.port, self.url = proxy.port, proxy.url


def recorded(server: Server, session_id: str) -> int:
    """Number of journal entries of that session."""
    return sum(f'"{session_id}"'.encode() in line for line in journal_lines(server.data))


@contextmanager
def running_proxy(folder: Path, replacements: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    """nginx alone, always stopped at the end."""
    proxy = Proxy(folder, replacements)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


@contextmanager
def running_behind_proxy(folder: Path) -> Iterator[Proxied]:
    """nginx and a server, ready, always stopped at the end."""
    with running_proxy(folder / "nginx") as proxy:
        server = Proxied(folder, proxy)
        with ended(server):
            yield server
