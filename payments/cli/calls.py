"""Calls of the HTTP API: in this process on the files of this machine, or to an API elsewhere.

The API, and what asks one elsewhere, are imported by the first call: that takes as long as all the rest of a start, and
no completion of a command line, ``config check``, ``ledger verify`` or export makes any.
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
_LOOK_S = 5.0
_BAD_REQUEST, _NOT_FOUND, _INVALID = 400, 404, 422


class Failed(PaymentsError):
    """The call was answered with a problem.

    Attributes:
        problem: the RFC 9457 object; ``status``: of the answer.
    """

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        super().__init__("\n".join(_each_once(problem)))
        self.problem = problem
        self.status = status

    @property
    def is_misuse(self) -> bool:
        """Whether what was said is malformed, whatever it is said of: then the command line is wrong."""
        return self.status == _INVALID


def _each_once(problem: Mapping[str, Any]) -> list[str]:
    """What ``problem`` says: programs find some of it in two places, for people once is enough."""
    detail = str(problem.get("detail") or problem.get("title"))
    fields = [
        f"{each['field']}: {each['detail']}" for each in problem.get("errors", ()) if each["detail"] not in detail
    ]
    return fields if fields and detail.startswith("see errors: ") else [detail, *fields]


class ApiResponse(dict[str, Any]):
    """The JSON object of an answer, and its HTTP ``status``."""

    def __init__(self, fields: Mapping[str, Any], status: int) -> None:
        super().__init__(fields)
        self.status = status


class Calls(Protocol):
    """A way to the API."""

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> ApiResponse:
        """The JSON of the answer. Raises ``Failed``, and ``Unavailable`` where there is none."""


class _Here:
    """The files are opened by the first call: only one that records something may begin new ones, or ``may_begin``."""

    def __init__(self, settings: Settings, *, may_begin: bool) -> None:
        self._may_begin = may_begin
        # Whoever reads the files needs no token; one of this process's own opens every call.
        self._token = secrets.token_hex()
        self._settings = replace(settings, api_admin_token=self._token)
        self._app: Any = None

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> ApiResponse:
        if self._app is None:
            self._app = self._open(may_begin=self._may_begin or method != "GET")
        headers = {"X-Admin-Token": self._token}
        client = self._app.test_client()
        return _answer(client.open(path, method=method, query_string=params, json=body, headers=headers))

    def close(self) -> None:
        if self._app is not None:
            from payments.web.services import close_store

            close_store(self._app)

    def _open(self, may_begin: bool) -> Any:
        from payments.web import create_app

        engine = engine_of(self._settings)
        engine.check_user()
        if not engine.exists():
            if not may_begin:
                raise Misconfigured(
                    f"PAY-C04 {engine}: there is no journal; name the data folder by PAYMENTS_DATA_DIR, in the "
                    "environment or in .env in this folder, or start the API, which begins one"
                )
            click.echo(f"payments: {engine}: a new journal begins", err=True)
        return create_app(self._settings)


class _Elsewhere:
    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, body: Any = None) -> ApiResponse:
        import requests

        if path.endswith(("/.", "/..")):
            raise Rejected("invalid", "an id of dots alone cannot be asked for over HTTP: run this where the files are")
        try:
            answer = requests.request(
                method, f"{self._url}{path}", params=params, json=body, auth=self._authorize, timeout=TIMEOUT_S,
            )  # fmt: skip
            return _answer(answer)
        except Failed as failed:
            raise self._in_words(failed, method, path) from failed
        except (requests.RequestException, Unavailable) as error:
            raise self._why_not(error) from error

    def _authorize(self, request: Any) -> Any:
        """Set the token: as a mere header it would be displaced by what ``~/.netrc`` has for that host."""
        request.headers.update(self._headers)
        return request

    def _in_words(self, failed: Failed, method: str, path: str) -> PaymentsError:
        """``failed``, in terms of the command line where that is at fault."""
        kind = failed.problem.get("type")
        if kind == "urn:payments:problem:forbidden":
            return Failed({**failed.problem, "detail": f"{self._url}: {failed.problem.get('detail')}"}, failed.status)
        if kind == "urn:payments:problem:unauthenticated":
            whose = "a viewer's or an admin's" if method == "GET" else "an admin's"
            state = "is not valid there" if self._headers else "is missing"
            said = f"{self._url}: the token {state}; this takes {whose}, by --token or PAYMENTS_API_TOKEN"
            return Failed({**failed.problem, "detail": said}, failed.status)
        # Ours of a thing that is not there names the thing; else the address itself is not there.
        detail = str(failed.problem.get("detail"))
        if failed.status == _NOT_FOUND and (
            kind != "urn:payments:problem:not-found" or detail.startswith("The requested URL")
        ):
            return Unavailable(
                f"PAY-O05 {self._url}{path}: there is no such address; is --api-url (PAYMENTS_API_URL) right?"
            )
        return failed

    def _why_not(self, error: Exception) -> Unavailable:
        """What is the matter where no answer came, or one that is none of Payments'."""
        import ssl

        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return Unavailable(
                    f"PAY-O04 {self._url}: its certificate is not trusted ({cause.verify_message}); if it is "
                    "yours, name the file of who signed it by REQUESTS_CA_BUNDLE"
                )
            cause = cause.__cause__ or cause.__context__
        if scheme := _other_scheme(self._url):
            return Unavailable(
                f"PAY-O03 {self._url}: {scheme} is spoken there; begin --api-url (PAYMENTS_API_URL) with {scheme}://"
            )
        if isinstance(error, Unavailable):
            return error
        return Unavailable(f"PAY-O02 {self._url}: no answer ({type(error).__name__}); is the API running there?")


def _other_scheme(url: str) -> str | None:
    """``http`` where ``url`` says ``https``, or the other way round, if that is what its port speaks."""
    import ssl

    import requests

    parts = urlsplit(url)
    try:
        if parts.scheme == "http":
            ssl.get_server_certificate((str(parts.hostname), parts.port or 80), timeout=_LOOK_S)
            return "https"
        plain = f"http://{parts.netloc}{'' if parts.port else ':443'}/healthz"
        # Not with what ~/.netrc has for that host. A port of https may answer too, with 400.
        answer = requests.get(plain, auth=lambda request: request, allow_redirects=False, timeout=_LOOK_S)
        return "http" if answer.status_code != _BAD_REQUEST else None
    except (OSError, ValueError):
        return None


@contextmanager
def calls(url: str | None, token: str | None, *, may_begin: bool = False) -> Iterator[Calls]:
    """The way to the API at ``url``, or to this machine's files where it is ``None``. Raises ``PaymentsError``.

    ``may_begin``: a journal may be begun here even by a call that only asks.
    """
    if url is not None:
        try:
            yield _Elsewhere(url, token)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Unavailable(
                f"PAY-O06 {url}: answers, and not as Payments does ({type(error).__name__}: {error}); is that its API?"
            ) from error
        return
    here = _Here(Settings.load(), may_begin=may_begin)
    try:
        yield here
    finally:
        here.close()


def session_path(session_id: str) -> str:
    """Where that session is found, whatever is in its id."""
    return f"/api/sessions/{quote(session_id, safe='', errors='surrogateescape')}"


def orchestrator_path(orchestrator_id: str) -> str:
    """Where that record is found. Raises ``Rejected`` for what no id can be, and what a path may take for more."""
    if "/" in orchestrator_id or orchestrator_id in ("", ".", ".."):
        raise Rejected("not-found", f'no orchestrator "{orchestrator_id}" is registered')
    return f"/api/orchestrators/{quote(orchestrator_id, safe='', errors='surrogateescape')}"


def about(answer: ApiResponse, name: str, wanted: str) -> ApiResponse:
    """``answer``, which must be about what was asked for. Raises ``Unavailable``."""
    if answer.get(name) != wanted:
        raise Unavailable(f'PAY-O06 it answers about another {name} than "{wanted}"; is that the API of Payments?')
    return answer


def pages(api: Calls, path: str, name: str, params: Mapping[str, Any], most: int | None) -> Iterator[Any]:
    """The items of a list, page by page, up to ``most`` (``None``: all of them); says so where there are more."""
    cursor, left = None, most
    while left is None or left > 0:
        # One more than is shown, to know whether there are more.
        limit = 2000 if left is None else min(2000, left + 1)
        page = api.call("GET", path, {**params, "limit": limit, **({"cursor": cursor} if cursor else {})})
        yield from page[name][:left]
        cursor = page["next_cursor"]
        if left is not None:
            if len(page[name]) > left or (len(page[name]) == left and cursor is not None):
                _say_there_are_more(most, certainly=len(page[name]) > left)
                return
            left -= len(page[name])
        if cursor is None:
            return


def _say_there_are_more(most: int | None, *, certainly: bool) -> None:
    said = f"payments: {most} are shown, and there {'are' if certainly else 'may be'} more: --all shows them all"
    # When the command has ended: above a long table it would not be seen.
    click.get_current_context().call_on_close(lambda: click.echo(said, err=True))


def _answer(response: Any) -> ApiResponse:
    try:
        answer = response.get_json() if hasattr(response, "get_json") else response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable(f"PAY-O02 status {response.status_code} and no JSON: that is not the API of Payments")
    if response.status_code >= 400:
        raise Failed(answer, response.status_code)
    return ApiResponse(answer, response.status_code)
