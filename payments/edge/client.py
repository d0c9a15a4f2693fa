"""HTTP client for Payments: one connection, no redirects, no proxies, limits on time and size.

Ignores proxy variables of the environment, ``.netrc`` and ``REQUESTS_CA_BUNDLE``: only the settings say where events
go.
"""

import ssl
import time
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from payments.edge.settings import EdgeSettings

_CONNECT_S = 5.0
_ANSWER_S = 30.0
_MAX_BYTES = 4 << 20
"""Of a response: enough for 500 events, each rejected with a long explanation."""

_PIECE_BYTES = 65_536


class NoAnswer(Exception):
    """Payments cannot be reached or does not answer. The message says why."""


class Reply(NamedTuple):
    """An HTTP response. ``retry_after``: that header, or ``None``."""

    status: int
    retry_after: str | None
    body: bytes


class PaymentsClient:
    """Posts JSON to Payments. Not thread-safe; callers must serialise."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.url = settings.api_url
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
        self._session.headers.update(
            {
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "payments-edge",
            }
        )
        if settings.session_token:
            self._session.headers["X-Session-Token"] = settings.session_token

    def post(self, path: str, body: bytes, timeout_s: float = _ANSWER_S) -> Reply:
        """Post ``body`` and return the response. Gives up after ``timeout_s``, at most 30 s. Raises ``NoAnswer``."""
        timeout_s = max(0.1, min(timeout_s, _ANSWER_S))
        deadline_s = time.monotonic() + timeout_s
        try:
            with self._session.post(
                f"{self.url}{path}", body, timeout=(min(_CONNECT_S, timeout_s), timeout_s), allow_redirects=False,
                stream=True,
            ) as response:  # fmt: skip
                return Reply(response.status_code, response.headers.get("Retry-After"), _read(response, deadline_s))
        # requests does not wrap all errors of urllib3, nor every OSError.
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            raise NoAnswer(_reason(error)) from error

    def close(self) -> None:
        self._session.close()


def _read(response: requests.Response, deadline_s: float) -> bytes:
    pieces: list[bytes] = []
    size_bytes = 0
    # The request asks for identity encoding, so nothing is decoded.
    while piece := response.raw.read1(_PIECE_BYTES, decode_content=False):
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > _MAX_BYTES:
            raise NoAnswer(f"answer exceeds {_MAX_BYTES} bytes")
        if time.monotonic() > deadline_s:
            raise NoAnswer("answer incomplete at time-out")
    return b"".join(pieces)


def _reason(error: BaseException) -> str:
    """A few words for ``error``, from its innermost cause that is understood."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 10:
        causes.append(cause)
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLError):
            return f"no TLS connection ({getattr(cause, 'verify_message', None) or cause.reason or 'SSLError'})"
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return f"no connection ({cause.strerror})"
    return f"no answer ({type(causes[-1]).__name__})"
