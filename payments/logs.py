"""Logs as JSON, one object a line on standard error, for services."""

import logging

from pythonjsonlogger.json import JsonFormatter


def log_as_json(level: int = logging.INFO) -> None:
    """From now on write each log record, with its ``extra`` fields, as one JSON object on a line."""
    handler = logging.StreamHandler()
    # The server's own lines have the same form: deploy/gunicorn.conf.py.
    handler.setFormatter(
        JsonFormatter(
            ("levelname", "name", "message"), timestamp="time", rename_fields={"levelname": "level", "name": "logger"}
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
