"""Calls of the HTTP API: in this process on the files of this machine, or to an API elsewhere.

The API and requests are imported by the first call: that takes as long as the rest of a start, and completion,
``config check``, ``ledger verify`` and exports make no calls.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import click

from payments.errors import Misconfigured, PaymentsError, Rejected, Unavailable
from payments.settings import Settings
from payments.store import engine_of

TIMEOUT_S = 60.0
_PROBE_TIMEOUT_S = 5.0
_BAD_REQUEST, _NOT_FOUND, _INVALID = 400, 404, 422


class Failed(PaymentsError):
    """The API answered with a problem.

    Attributes:
        problem: the RFC 9457 object; ``status``: of the answer.
    """

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        super().__init__("\n".join(_lines(problem)))
        self.problem = problem
        self.status = status

    @property
    def is_misuse(self) -> bool:
        """Whether the request was invalid (422): then the command line is wrong."""
        return self.status == _INVALID


def _lines(problem: Mapping[str, Any]) -> list[str]:
    """The lines to print for ``problem``; field errors that its detail already contains are left out."""
    detail = str(problem.get("detail") or problem.get("title"))
    fields = [
        f"{each['field']}: {each['detail']}" for each in problem.get("errors", ()) if each["detail"] not in detail
    ]
    return fields if fields and detail.startswith("see errors: ") else [detail, *fields]


class ApiResponse(dict[str, Any]):
    """The JSON object that the API answered, and its HTTP ``status``."""

    def __init__(self, fields: Mapping[str, Any], status: int) -> None:
        super().__init__(fields)
        self.status = status


class Calls(Protocol):
    """A connection to the API."""

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> ApiResponse:
        """The JSON of the answer. Raises ``Failed``, and ``Unavailable`` if there is no answer."""


class _LocalCalls:
    """Calls on local files, which the first call opens. A GET creates no journal, unless ``may_create``."""

    def __init__(self, settings: Settings, *, may_create: bool) -> None:
        self._may_begin = may_create
        # Anyone who can read the files needs no token, so this process makes one that permits every call.
        self._token = secrets.token_hex()
        self._settings = replace(settings, api_admin_token=self._token)
        self._app: Any = None

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> ApiResponse:
        if self._app is None:
            self._app = self._open(may_create=self._may_begin or method != "GET")
        headers = {"X-Admin-Token": self._token}
        client = self._app.test_client()
        return _answer(client.open(path, method=method, query_string=params, json=body, headers=headers))

    def close(self) -> None:
        if self._app is not None:
            from payments.web.services import close_store

            close_store(self._app)

    def _open(self, may_create: bool) -> Any:
        from payments.web import create_app

        engine = engine_of(self._settings)
        engine.check_user()
        if not engine.exists():
            if not may_create:
                raise Misconfigured(
                    f"PAY-C04 {engine}: there is no journal; set PAYMENTS_DATA_DIR in the environment or in .env in "
                    "this folder, or start the API, which creates a journal"
                )
            click.echo(f"payments: {engine}: creating a new journal", err=True)
        return create_app(self._settings)


class _RemoteCalls:
    """Calls to an API elsewhere, over HTTP."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> ApiResponse:
        import requests

        if path.endswith(("/.", "/..")):
            raise Rejected("invalid", "an id of dots alone cannot be requested over HTTP: run this where the files are")
        try:
            answer = requests.request(
                method, f"{self._url}{path}", params=params, json=body, auth=self._authorize, timeout=TIMEOUT_S,
            )  # fmt: skip
            return _answer(answer)
        except Failed as failed:
            raise self._in_terms_of_options(failed, method, path) from failed
        except (requests.RequestException, Unavailable) as error:
            raise self._diagnosis(error) from error

    def _authorize(self, request: Any) -> Any:
        """Set the token. As a mere header, ``~/.netrc`` would override it."""
        request.headers.update(self._headers)
        return request

    def _in_terms_of_options(self, failed: Failed, method: str, path: str) -> PaymentsError:
        """``failed`` in terms of the command line, if that is the cause."""
        kind = failed.problem.get("type")
        if kind == "urn:payments:problem:forbidden":
            return Failed({**failed.problem, "detail": f"{self._url}: {failed.problem.get('detail')}"}, failed.status)
        if kind == "urn:payments:problem:unauthenticated":
            needed = "a viewer's or an admin's" if method == "GET" else "an admin's"
            state = "is not valid there" if self._headers else "is missing"
            detail = f"{self._url}: the token {state}; give {needed}, by --token or PAYMENTS_API_TOKEN"
            return Failed({**failed.problem, "detail": detail}, failed.status)
        # A 404 of Payments names what is missing; any other means that the URL itself is wrong.
        detail = str(failed.problem.get("detail"))
        if failed.status == _NOT_FOUND and (
            kind != "urn:payments:problem:not-found" or detail.startswith("The requested URL")
        ):
            return Unavailable(f"PAY-O05 {self._url}{path}: no such path; is --api-url (PAYMENTS_API_URL) right?")
        return failed

    def _diagnosis(self, error: Exception) -> Unavailable:
        """Why no answer came, or one that is not from Payments."""
        import ssl

        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Unavailable(
                    f"PAY-O04 {self._url}: its certificate is not trusted ({cause.verify_message}); for a "
                    "private CA, set REQUESTS_CA_BUNDLE to its certificate file"
                )
            cause = cause.__cause__ or cause.__context__
        if scheme := _other_scheme(self._url):
            return Unavailable(
                f"PAY-O03 {self._url}: the server speaks {scheme}; start --api-url (PAYMENTS_API_URL) with {scheme}://"
            )
        if isinstance(error, Unavailable):
            return error
        return Unavailable(f"PAY-O02 {self._url}: no answer ({type(error).__name__}); is the API running there?")


def _other_scheme(url: str) -> str | None:
    """``http`` if the port speaks that and ``url`` says ``https``, or the other way round; else ``None``."""
    import ssl

    import requests

    parts = urlsplit(url)
    try:
        if parts.scheme == "http":
            ssl.get_server_certificate((str(parts.hostname), parts.port or 80), timeout=_PROBE_TIMEOUT_S)
            return "https"
        plain = f"http://{parts.netloc}{'' if parts.port else ':443'}/healthz"
        # Without credentials of ~/.netrc. A port of https may answer too, with 400.
        answer = requests.get(plain, auth=lambda request: request, allow_redirects=False, timeout=_PROBE_TIMEOUT_S)
        return "http" if answer.status_code != _BAD_REQUEST else None
    except (OSError, ValueError):
        return None


@contextmanager
def calls(url: str | None, token: str | None, *, may_create: bool = False) -> Iterator[Calls]:
    """A connection to the API at ``url``, or to the local files if it is ``None``. Raises ``PaymentsError``.

    ``may_create``: even a GET may create a journal here.
    """
    if url is not None:
        try:
            yield _RemoteCalls(url, token)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Unavailable(
                f"PAY-O06 {url}: the answer is not from Payments ({type(error).__name__}: {error}); is --api-url right?"
            ) from error
        return
    local = _LocalCalls(Settings.load(), may_create=may_create)
    try:
        yield local
    finally:
        local.close()


def session_path(session_id: str) -> str:
    """The URL path of a session, whatever is in its id."""
    return f"/api/sessions/{quote(session_id, safe='', errors='surrogateescape')}"


def orchestrator_path(orchestrator_id: str) -> str:
    """The URL path of a record. Raises ``Rejected`` for an id that would change the path."""
    if "/" in orchestrator_id or orchestrator_id in ("", ".", ".."):
        raise Rejected("not-found", f'no orchestrator "{orchestrator_id}" is registered')
    return f"/api/orchestrators/{quote(orchestrator_id, safe='', errors='surrogateescape')}"


def check_answer(answer: ApiResponse, name: str, wanted: str) -> ApiResponse:
    """Returns ``answer``. Raises ``Unavailable`` unless its field ``name`` is ``wanted``."""
    if answer.get(name) != wanted:
        raise Unavailable(f'PAY-O06 the answer has another {name} than "{wanted}"; is that the API of Payments?')
    return answer


def pages(api: Calls, path: str, name: str, params: Mapping[str, Any], limit: int | None) -> Iterator[Any]:
    """The items of a list, page by page, up to ``limit`` (``None``: all); a note says if there are more."""
    cursor, left = None, limit
    while left is None or left > 0:
        # One more than is shown, to know whether there are more.
        page_size = 2000 if left is None else min(2000, left + 1)
        page = api.call("GET", path, {**params, "limit": page_size, **({"cursor": cursor} if cursor else {})})
        yield from page[name][:left]
        cursor = page["next_cursor"]
        if left is not None:
            if len(page[name]) > left or (len(page[name]) == left and cursor is not None):
                _note_more(limit)
                return
            left -= len(page[name])
        if cursor is None:
            return


def _note_more(limit: int | None) -> None:
    # At the end: nobody would see it above a long table.
    note = f"payments: showing {limit}; use --all for the rest"
    click.get_current_context().call_on_close(lambda: click.echo(note, err=True))


def _answer(response: Any) -> ApiResponse:
    try:
        answer = response.get_json() if hasattr(response, "get_json") else response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable(f"PAY-O02 status {response.status_code} without JSON: not the API of Payments")
    if response.status_code >= 400:
        raise Failed(answer, response.status_code)
    return ApiResponse(answer, response.status_code)
