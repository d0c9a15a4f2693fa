"""Finds the streamer that a viewer watches in Pixel Streaming's messages. Pure."""

import json

_WORD = b"subscribe"
_LONGEST_BYTES = 2048
_LONGEST_ID = 128
"""The limit at Payments: ``payments.events``."""


def subscribed_streamer(text: bytes) -> str | None:
    """The streamer that the message ``text`` subscribes to; ``None``: it is another message.

    Nearly all are, so only short messages with the word are parsed.
    """
    if len(text) > _LONGEST_BYTES or _WORD not in text:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("type") != "subscribe":
        return None
    streamer_id = message.get("streamerId")
    is_one = isinstance(streamer_id, str) and 1 <= len(streamer_id) <= _LONGEST_ID and streamer_id.isprintable()
    return streamer_id if is_one else None
