"""Routes in the form of OpenAPI."""

import re


def openapi_path(route: str) -> str:
    """Flask's path pattern in OpenAPI's form: ``/api/sessions/{session_id}``."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
