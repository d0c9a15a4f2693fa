"""Routes as people read them."""

import re


def public(route: str) -> str:
    """Flask's path pattern in OpenAPI's form: ``/api/sessions/{session_id}``."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
