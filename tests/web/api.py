"""The API in this process: requests go to the application as gunicorn would hand them over, by Flask's test client."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

import pytest
from flask import Flask, Request

from payments.settings import Settings
from payments.web import create_app
from payments.web.services import close_store
from tests.harness import HOST_A, JSON, Server, WebResponse, journal_path


class Api:
    """The application on a data folder of its own, with the settings, tokens and calls of ``tests.harness.Server``.

    Attributes:
        data: its data folder.
        log: the file with everything that it logged.
    """

    REPORTER, VIEWER, ADMIN = Server.REPORTER, Server.VIEWER, Server.ADMIN

    def __init__(self, folder: Path, app: Flask) -> None:
        self.data = folder / "data"
        self.log = folder / "api.log"
        self.app = app
        self._client = app.test_client()

    def exchange(
        self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> WebResponse:
        """One request; a body in pieces has no Content-Length, as if it came chunked."""
        environ = _environ(method, target, body, headers)
        with self._client.open(Request(environ), buffered=True) as response:
            # A server sends no body to HEAD.
            content = b"" if method == "HEAD" else response.get_data()
            return WebResponse(response.status_code, {name.lower(): value for name, value in response.headers}, content)

    def get(self, path: str, **params: Any) -> JSON:
        """The JSON of a viewer call that must succeed."""
        target = f"{path}?{urlencode(params)}" if params else path
        response = self.exchange("GET", target, None, {"Authorization": f"Bearer {self.VIEWER}"})
        assert response.status == 200, response
        return response.json()

    def register(self, orchestrator_id: str = "orch-a", host_public_ip: str = HOST_A, **fields: Any) -> JSON:
        """Register an orchestrator."""
        record = {"orchestrator_id": orchestrator_id, "host_public_ip": host_public_ip, **fields}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.ADMIN}"}
        response = self.exchange("POST", "/api/orchestrators/register", json.dumps(record).encode(), headers)
        assert response.status in (200, 201), response
        return response.json()

    def halt(self) -> None:
        """Answer every command with 503 from here on."""
        journal_path(self.data).with_name("ledger-events.log.halted").write_text("a sync failed\n")


@contextmanager
def running_api(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Api]:
    """An ``Api``, closed at the end."""
    given = {
        "PAYMENTS_DATA_DIR": str(folder / "data"),
        "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.001",
        "PAYMENTS_SESSION_REPORTER_TOKEN": Api.REPORTER,
        "PAYMENTS_VIEWER_TOKENS": Api.VIEWER,
        "PAYMENTS_API_ADMIN_TOKEN": Api.ADMIN,
        **(settings or {}),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PAYMENTS_")]:
            patch.delenv(name)
        for name, value in given.items():
            patch.setenv(name, value)
        loaded = Settings.load(folder / "no.env")
    with _logging_to(folder / "api.log"):
        app = create_app(loaded)
        try:
            yield Api(folder, app)
        finally:
            close_store(app)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path)
    log = logging.getLogger("payments")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def _environ(
    method: str, target: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
) -> dict[str, Any]:
    """What gunicorn passes to an application for that request."""
    path, _, query = target.partition("?")
    whole = body if isinstance(body, bytes) else b"".join(body or ())
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8081",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8081",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(whole),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if isinstance(body, bytes):
        environ["CONTENT_LENGTH"] = str(len(body))
    elif body is not None:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value.strip()
    return environ
