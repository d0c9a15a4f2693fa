"""The errors, grouped by who must act.

``Rejected`` is the caller's to fix, ``Unavailable`` passes by itself or with a restart (try again), ``Corrupt`` and
``Misconfigured`` are the operator's. Messages say what, where and what to do; they never hold a token.
"""

from collections.abc import Mapping, Sequence


class PaymentsError(Exception):
    """Base class of the errors that this package raises on purpose."""


class Rejected(PaymentsError):
    """The request cannot be carried out as it is; nothing was written.

    Attributes:
        kind: ``invalid``, ``conflict`` or ``not-found``; stable, part of the HTTP contract.
        fields: complaints by field name; empty where the request as a whole is at fault.
    """

    def __init__(self, kind: str, message: str, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.fields = dict(fields or {})


class Unavailable(PaymentsError):
    """Nothing was acknowledged; the same request may succeed later.

    Attributes:
        retry_after_s: seconds after which a retry makes sense.
    """

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Corrupt(PaymentsError):
    """Stored data is damaged; the message names the file, the line and the remedy."""


class Misconfigured(PaymentsError):
    """Settings are wrong; the message holds one line per problem, each naming the setting and the remedy."""


def quoted(text: str) -> str:
    """``text`` in quotes and on one line."""
    return f'"{text if text.isprintable() else text.encode("unicode_escape").decode()}"'
