"""How routes are called where people read them."""

import re


def public(route: str) -> str:
    """Flask's pattern of a path as OpenAPI writes it: ``/api/sessions/{session_id}``."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
