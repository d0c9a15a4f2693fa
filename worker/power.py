"""Asks one host for its ``/power`` (rule 6.4)."""

from http.client import HTTPException
from typing import Any, NamedTuple

from requests import PreparedRequest, Request
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from payments.domain.readings import UNKNOWN
from payments.endpoints import Endpoint
from payments.registry import Record
from payments.strictjson import read_strictly
from worker.dial import BoundedAdapter, NotUsable

MAX_BODY_BYTES = 4096
_MAX_STATE_LENGTH = 32
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "payments",
}


class PowerAnswer(NamedTuple):
    """What a host answered: its state, a word of its own, or ``unknown`` with the reason in ``detail``."""

    state: str
    detail: str | None = None


def power_url(record: Record, port: int) -> str | None:
    """The URL to ask the host of ``record``; ``None`` if the record has no address."""
    if record.power_url is not None:
        return record.power_url
    host = record.host_public_ip
    if host is None:
        return None
    return f"http://{Endpoint(host, port)}/power"


def ask(adapter: BoundedAdapter, url: str, timeout_s: float) -> PowerAnswer:
    """The answer of the host at ``url``, within ``timeout_s``. Nothing that a host does makes it raise.

    It uses the adapter, not a ``requests.Session``, which would follow redirects (or at least read their bodies), use
    proxies of the environment, and keep cookies.
    """
    try:
        return PowerAnswer(_state(_get(adapter, Request("GET", url, _HEADERS).prepare(), timeout_s)))
    except NotUsable as error:
        return PowerAnswer(UNKNOWN, str(error))
    except (RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
        return PowerAnswer(UNKNOWN, f"no HTTP answer ({type(error).__name__})")


def _get(adapter: BoundedAdapter, request: PreparedRequest, timeout_s: float) -> bytes:
    response = adapter.send(request, stream=True, timeout=timeout_s)
    try:
        if response.status_code != 200:
            raise NotUsable(f"status {response.status_code}")
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise NotUsable("an encoding that was not asked for")
        # One byte more than allowed, to know whether there is more.
        body: bytes = response.raw.read(MAX_BODY_BYTES + 1, decode_content=False)
        if len(body) > MAX_BODY_BYTES:
            raise NotUsable(f"more than {MAX_BODY_BYTES} bytes")
        if response.raw.length_remaining:
            raise NotUsable("an answer that was cut short")
        return body
    finally:
        response.close()


def _state(body: bytes) -> str:
    try:
        answer: Any = read_strictly(body)
    except ValueError:
        raise NotUsable("not JSON") from None
    state = answer.get("state") if isinstance(answer, dict) else None
    if not isinstance(state, str):
        raise NotUsable('no "state" that is text')
    if not 0 < len(state) <= _MAX_STATE_LENGTH or not state.isprintable():
        raise NotUsable('a "state" that is not a word')
    if state == UNKNOWN:
        raise NotUsable("the host itself says unknown")
    return state
