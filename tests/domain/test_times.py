"""Conversion between RFC 3339 text and milliseconds."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.times import format_time, parse_time, read_time
from tests.harness import campaign

LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

MOMENTS_MS = st.integers(0, LAST_MS)


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="epoch"),
        pytest.param("2026-01-31T12:00:00Z", 1_769_860_800_000, id="seconds"),
        pytest.param("2026-01-31T12:00:00.5Z", 1_769_860_800_500, id="tenths"),
        pytest.param("2026-01-31T12:00:00.050Z", 1_769_860_800_050, id="milliseconds"),
        pytest.param("2026-01-31T12:00:00.123999999Z", 1_769_860_800_123, id="finer-digits-are-cut-off"),
        pytest.param("2026-01-31t12:00:00z", 1_769_860_800_000, id="lower-case"),
        pytest.param("2026-01-31 12:00:00Z", 1_769_860_800_000, id="space-for-T"),
        pytest.param("2026-01-31T13:30:00+01:30", 1_769_860_800_000, id="east"),
        pytest.param("2026-01-31T04:00:00-08:00", 1_769_860_800_000, id="west"),
        pytest.param("2026-01-31T12:00:00-00:00", 1_769_860_800_000, id="unknown-offset"),
        pytest.param("2024-02-29T00:00:00Z", 1_709_164_800_000, id="leap-day"),
        pytest.param("1970-01-01T01:00:00+01:00", 0, id="epoch-elsewhere"),
        pytest.param("9999-12-31T23:59:59.999Z", LAST_MS, id="last"),
        pytest.param("9999-12-31T00:00:59.999-23:59", LAST_MS, id="last-elsewhere"),
    ],
)
def test_rfc_3339_time_is_read(text: str, moment_ms: int) -> None:
    assert parse_time(text) == moment_ms


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2026-01-31", id="date-alone"),
        pytest.param("12:00:00Z", id="time-alone"),
        pytest.param("2026-01-31T12:00:00", id="no-offset"),
        pytest.param("2026-01-31T12:00Z", id="no-seconds"),
        pytest.param("20260131T120000Z", id="basic-format"),
        pytest.param("2026-W05-6T12:00:00Z", id="week-date"),
        pytest.param("2026-01-31T12:00:00+0100", id="offset-without-colon"),
        pytest.param("2026-01-31T12:00:00+24:00", id="offset-of-a-day"),
        pytest.param("2026-01-31T12:00:00+01:60", id="offset-minute-60"),
        pytest.param("2026-01-31T12:00:00 Z", id="space-before-Z"),
        pytest.param("2026-01-31T12:00:00.Z", id="point-without-digits"),
        pytest.param("2026-01-31T12:00:00,5Z", id="comma"),
        pytest.param("2026-02-29T12:00:00Z", id="no-such-day"),
        pytest.param("2026-13-01T12:00:00Z", id="no-such-month"),
        pytest.param("2026-01-31T24:00:00Z", id="no-such-hour"),
        pytest.param("2026-01-31T12:60:00Z", id="no-such-minute"),
        pytest.param("2016-12-31T23:59:60Z", id="leap-second"),
        pytest.param("0000-01-01T00:00:00Z", id="year-zero"),
        pytest.param("1969-12-31T23:59:59Z", id="before-1970"),
        pytest.param("1970-01-01T00:59:59+01:00", id="before-1970-by-its-offset"),
        pytest.param("9999-12-31T23:59:59-00:01", id="behind-9999-by-its-offset"),
        pytest.param("+2026-01-31T12:00:00Z", id="signed-year"),
        pytest.param("12026-01-31T12:00:00Z", id="year-of-five-digits"),
        pytest.param("2026-01-31T12:00:00Z\n", id="newline-behind"),
        pytest.param("٢٠٢٦-01-31T12:00:00Z", id="arabic-digits"),
        pytest.param("1769860800000", id="milliseconds"),
        pytest.param("now", id="word"),
    ],
)
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f'"{text}"')):
        parse_time(text)


@given(MOMENTS_MS)
@campaign(300)
def test_moment_reads_back_as_it_was_written(moment_ms: int) -> None:
    text = format_time(moment_ms)
    assert (parse_time(text), read_time(text)) == (moment_ms, moment_ms)


@given(moment_ms=MOMENTS_MS, offset_min=st.integers(-23 * 60 - 59, 23 * 60 + 59))
@campaign(300)
def test_same_moment_elsewhere_is_the_same_moment(moment_ms: int, offset_min: int) -> None:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)
    try:
        there = utc.astimezone(timezone(timedelta(minutes=offset_min)))
    except OverflowError:
        return
    assert parse_time(there.isoformat(timespec="milliseconds")) == moment_ms


@pytest.mark.parametrize("text", ["", "now", "2026-01-31T12:00:00.Z", "2026-13-01T12:00:00.000Z"])
def test_damaged_record_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the journal's codec reports it with the line
        read_time(text)
