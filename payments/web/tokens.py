"""Checks tokens: the three roles of rule 3.1."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from flask import Request

from payments.settings import Settings


class Unauthenticated(Exception):
    """The token is missing or wrong; ``header`` names where it belongs."""

    def __init__(self, header: str) -> None:
        super().__init__(f"this call needs a valid token in {header}, or in Authorization: Bearer")


class Forbidden(Exception):
    """The token is valid for other calls only, or no token opens this call; the message says what is needed."""


_REPORTER = "X-Session-Token"
_ADMIN = "X-Admin-Token"


class Gate:
    """Checks the token of a request against the configured ones."""

    def __init__(self, settings: Settings) -> None:
        admins = [settings.api_admin_token] if settings.api_admin_token else []
        self._reporters = _digests(settings.session_reporter_tokens)
        self._admins = _digests(admins)
        self._viewers = _digests([*settings.viewer_tokens, *admins])

    def admit_reporter(self, request: Request) -> None:
        """For edges; open while no reporter token is configured. Raises ``Unauthenticated`` or ``Forbidden``."""
        if self._reporters:
            self._check(request, _REPORTER, self._reporters, "an edge's token (PAYMENTS_SESSION_REPORTER_TOKEN)")

    def admit_viewer(self, request: Request) -> None:
        """For readers; open while neither viewer nor admin tokens are configured. Raises as ``admit_reporter``."""
        if self._viewers:
            self._check(request, _ADMIN, self._viewers, "a viewer's or an admin's token")

    def admit_admin(self, request: Request) -> None:
        """For admins; disabled until an admin token is configured. Raises as ``admit_reporter``."""
        if not self._admins:
            raise Forbidden("admin calls are disabled until PAYMENTS_API_ADMIN_TOKEN is set")
        self._check(request, _ADMIN, self._admins, "an admin's token")

    def _check(self, request: Request, header: str, accepted: Sequence[bytes], needed: str) -> None:
        if _has_match(request, [header], accepted):
            return
        # A sufficient token in the wrong header counts as none, not as too weak.
        others = [digest for digest in (*self._reporters, *self._viewers) if digest not in accepted]
        if _has_match(request, [_REPORTER, _ADMIN], others):
            raise Forbidden(f"the token is valid, but this call needs {needed}")
        raise Unauthenticated(header)


def _digests(tokens: Sequence[str]) -> list[bytes]:
    return [sha256(token.encode()).digest() for token in tokens]


def _has_match(request: Request, headers: Sequence[str], digests: Sequence[bytes]) -> bool:
    # Constant time: digests hide the length and position of a difference, and all are compared even after a match.
    given = [sha256(token.encode("utf-8", "replace")).digest() for token in _tokens(request, headers)]
    matches = [hmac.compare_digest(digest, candidate) for candidate in given for digest in digests]
    return any(matches)


def _tokens(request: Request, headers: Sequence[str]) -> list[str]:
    # From environ: werkzeug's headers take ten times as long, and every event passes here.
    given = [request.environ.get(f"HTTP_{header.upper().replace('-', '_')}", "") for header in headers]
    scheme, _, credentials = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        given.append(credentials.strip())
    return [token for token in given if token]
