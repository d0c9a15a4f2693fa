"""Answers that wait for the journal, but need not have a thread wait with them.

By PEP 3333 an application may say what it answers as late as when the server asks for the body, and may have keys of
its own in the environ. A server that knows these two (``deploy/journal_worker.py``) goes on with other calls meanwhile;
to any other this is a call that takes its time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, request

from payments.clock import monotonic_s
from payments.domain.commands import Command
from payments.store import Execution, Result, Store
from payments.web.answers import to_json
from payments.web.trace import keep_route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ANSWERABLE, WITHIN = "payments.answerable", "payments.answer_within_s"
"""What the server wants to have called, in any thread, when it need not wait for the answer any more; and what it is
told: within how many seconds it has the answer in any case."""


class Later(Response):
    """What ``answer`` makes of the results of ``commands``, as JSON, or the problem that it raises."""

    def __init__(self, store: Store, commands: Sequence[Command], answer: Callable[[Sequence[Result]], Any]) -> None:
        # Not the response's own: neither status nor headers nor body are known.
        self._execution: Execution = store.submit(commands, request.environ.get(ANSWERABLE, _nobody))
        self._answer = answer

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        keep_route()
        environ[WITHIN] = max(0.0, self._execution.due_s - monotonic_s())
        return self._parts(current_app._get_current_object(), environ, start_response)  # type: ignore[attr-defined]

    def _parts(self, app: Flask, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        try:
            data = to_json(self._answer(self._execution.results()))
        except Exception as error:
            # As a view's would be.
            with app.request_context(environ):
                problem = app.make_response(app.handle_user_exception(error))
            yield from problem(environ, start_response)
        else:
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
            yield data


def _nobody() -> None:
    """Nobody is to be told."""
