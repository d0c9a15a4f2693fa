"""Who may call what: the three roles of SPEC.md section 3."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from flask import Request

from payments.settings import Settings


class Unauthenticated(Exception):
    """The token is missing or wrong; ``header`` names where it is looked for."""

    def __init__(self, header: str) -> None:
        super().__init__(f"this call needs a valid token in {header}, or in Authorization: Bearer")


class Forbidden(Exception):
    """No token opens this call as things are set; the message says what to set."""


class Gate:
    """Checks the token of a request against those that are configured."""

    def __init__(self, settings: Settings) -> None:
        admins = [settings.api_admin_token] if settings.api_admin_token else []
        self._reporters = _digests(settings.session_reporter_tokens)
        self._admins = _digests(admins)
        self._viewers = _digests([*settings.viewer_tokens, *admins])

    def admit_reporter(self, request: Request) -> None:
        """Edges: open while no reporter token is configured. Raises ``Unauthenticated``."""
        if self._reporters:
            _check(request, "X-Session-Token", self._reporters)

    def admit_viewer(self, request: Request) -> None:
        """Readers: open while neither viewer nor admin tokens are configured. Raises ``Unauthenticated``."""
        if self._viewers:
            _check(request, "X-Admin-Token", self._viewers)

    def admit_admin(self, request: Request) -> None:
        """Admins: closed until an admin token is configured. Raises ``Forbidden`` and ``Unauthenticated``."""
        if not self._admins:
            raise Forbidden("admin calls are closed until PAYMENTS_API_ADMIN_TOKEN is set")
        _check(request, "X-Admin-Token", self._admins)


def _digests(tokens: Sequence[str]) -> list[bytes]:
    return [sha256(token.encode()).digest() for token in tokens]


def _check(request: Request, header: str, digests: Sequence[bytes]) -> None:
    # Digests have one length and hide where a wrong token differs; every one is compared, whichever fits.
    given = [sha256(token.encode("utf-8", "replace")).digest() for token in _tokens(request, header)]
    fits = [hmac.compare_digest(digest, candidate) for candidate in given for digest in digests]
    if not any(fits):
        raise Unauthenticated(header)


def _tokens(request: Request, header: str) -> list[str]:
    # From the environ, for every event passes here: werkzeug's headers take ten times as long.
    given = [request.environ.get(f"HTTP_{header.upper().replace('-', '_')}", "")]
    scheme, _, credentials = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        given.append(credentials.strip())
    return [token for token in given if token]
