"""``GET /openapi.json`` and ``GET /docs``."""

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, render_template, request

from payments.web.openapi.document import document
from payments.web.services import services
from payments.web.tokens import Unauthenticated

blueprint = Blueprint("openapi", __name__, template_folder=".")


@blueprint.get("/openapi.json")
def get_document() -> dict[str, Any]:
    app = services()
    app.gate.admit_viewer(request)
    return document()


@blueprint.get("/docs")
def get_page() -> Response:
    """The description as a page. A browser without a token gets a form to enter one."""
    app = services()
    try:
        app.gate.admit_viewer(request)
    except Unauthenticated:
        if "text/html" not in request.headers.get("Accept", ""):
            raise
        answer = Response(render_template("entry.html", style=_part("style.css"), script=_part("entry.js")), 401)
        answer.headers["WWW-Authenticate"] = 'Bearer realm="payments"'
    else:
        answer = Response(render_template("page.html", style=_part("style.css"), api=document()))
    answer.headers["Content-Security-Policy"] = _policy()
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Vary"] = "Accept"
    return answer


@cache
def _part(name: str) -> str:
    return files("payments.web.openapi").joinpath(name).read_text()


@cache
def _policy() -> str:
    """Content-Security-Policy: no external resources, only our own style and script."""
    style, script = (
        base64.b64encode(sha256(_part(name).encode()).digest()).decode() for name in ("style.css", "entry.js")
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
