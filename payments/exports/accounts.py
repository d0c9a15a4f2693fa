"""Names of orchestrators, units and metadata in plain-text accounting.

A component of an account name has ASCII letters, digits and dashes, and begins with a capital: beancount requires this
and hledger accepts it, so an orchestrator has the same name in both.
"""

import json
import re
from functools import lru_cache

ETH = "ETH"

_UNIT = re.compile(r"[A-Z][A-Z0-9]{0,14}[A-Z0-9]")
_NO_UNITS = ("TRUE", "FALSE", "NULL")
# A dash is literal only before a letter or digit, so two in a row always begin an escape.
_ESCAPED = re.compile(r"-(?![A-Za-z0-9])|[^A-Za-z0-9-]")


@lru_cache(maxsize=65_536)
def account_part(name: str) -> str:
    """A unique account part for ``name``: ``orch-eu`` is ``Orch-eu``, ``orch_eu`` is ``Orch--5f-eu``.

    A character that is not allowed becomes its code point in hex, in dashes: ``--5f-``. A small letter at the beginning
    becomes a capital; anything else gets the prefix ``X---``, which no escape begins with: ``Orch-eu`` is
    ``X---Orch-eu``.
    """
    spelled = _ESCAPED.sub(lambda match: f"--{ord(match[0]):x}-", name)
    return spelled[0].upper() + spelled[1:] if "a" <= name[:1] <= "z" else f"X---{spelled}"


@lru_cache(maxsize=1024)
def commodity(credit_unit: object) -> str:
    """``credit_unit`` in capitals if both programs accept it as a currency, else ``ETH``."""
    unit = credit_unit.upper() if isinstance(credit_unit, str) and credit_unit.isascii() else ""
    return unit if _UNIT.fullmatch(unit) and unit not in _NO_UNITS else ETH


@lru_cache(maxsize=65_536)
def plain(text: str, forbidden: str = "\n") -> str:
    """``text`` on one line and without the character ``forbidden``, reversibly.

    Unchanged if possible; otherwise as a JSON string, which begins with a quotation mark, with ``\\u`` escapes.
    """
    if text.isprintable() and text[:1] not in ('"', " ") and text[-1:] != " " and forbidden not in text:
        return text
    return json.dumps(text).replace(forbidden, f"\\u{ord(forbidden):04x}")


def negated(delta: str) -> str:
    """The amount with the opposite sign; exact, since only text is changed."""
    return delta[1:] if delta.startswith("-") else f"-{delta}"
