"""Moments as integer milliseconds since the Unix epoch, and as RFC 3339 text."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])((?:[01]\d|2[0-3]):[0-5]\d))", re.ASCII
)
_LAST_SECOND = 253_402_300_799
_MILLISECONDS = tuple(f".{ms:03d}Z" for ms in range(1000))
_COMPLAINT = '"{}" is not an RFC 3339 time such as 2026-01-31T12:00:00.000Z'


@lru_cache(maxsize=4096)
def format_time(moment_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds and ``Z``."""
    return _format_second(moment_ms // 1000) + _MILLISECONDS[moment_ms % 1000]


def read_time(text: str) -> int:
    """The inverse of ``format_time``, for text that it wrote."""
    return _read_second(text[:19]) * 1000 + int(text[20:23])


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time from 1970 on, finer digits cut off.

    Raises ``ValueError`` for anything else.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(_COMPLAINT.format(text))
    day, time, fraction, sign, offset = match.groups()
    try:
        second = int(datetime.fromisoformat(f"{day}T{time}{sign or '+'}{offset or '00:00'}").timestamp())
    except (ValueError, OverflowError) as error:
        raise ValueError(_COMPLAINT.format(text)) from error
    if not 0 <= second <= _LAST_SECOND:
        raise ValueError(f'"{text}" is not within the years 1970 to 9999 (UTC)')
    return second * 1000 + int((fraction or "0")[:3].ljust(3, "0"))


@lru_cache(maxsize=8192)
def _format_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=8192)
def _read_second(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())
