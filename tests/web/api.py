"""The API in this process: requests go to the application as gunicorn would hand them over, by Flask's test client."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from flask import Request

from payments.settings import Settings
from payments.web import create_app
from payments.web.services import close_store
from tests.harness import Service, WebResponse, journal_path


class Api(Service):
    """The application in this process.

    Attributes:
        log: the file with everything that it logged.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder, settings)
        self.log = folder / "api.log"
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("PAYMENTS_")]:
                patch.delenv(name)
            for name, value in self.settings.items():
                patch.setenv(name, value)
            self._app = create_app(Settings.load(folder / "no.env"))
        self._client = self._app.test_client()

    def exchange(
        self, method: str, target: str, body: bytes | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> WebResponse:
        environ = _environ(method, target, body, headers)
        with self._client.open(Request(environ), buffered=True) as response:
            # A server sends no body to HEAD.
            content = b"" if method == "HEAD" else response.get_data()
            return WebResponse(response.status_code, {name.lower(): value for name, value in response.headers}, content)

    def halt(self) -> None:
        """Answer every command with 503 from here on."""
        journal_path(self.data).with_name("ledger-events.log.halted").write_text("a sync failed\n")

    def close(self) -> None:
        """Close the store."""
        close_store(self._app)


@contextmanager
def running_api(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Api]:
    """An ``Api``, closed at the end."""
    with _logging_to(folder / "api.log"), closing(Api(folder, settings or {})) as api:
        yield api


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
