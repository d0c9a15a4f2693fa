"""Which messages name a streamer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.edge.gateway.subscribe import subscribed_streamer
from tests.harness import campaign


def message(**fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "streamer_id"),
    [
        pytest.param(message(type="subscribe", streamerId="Cam 1"), "Cam 1", id="subscribe"),
        pytest.param(b'{"streamerId":"\\u017d","type":"subscribe"}', "Ž", id="escaped"),
        pytest.param(message(type="subscribe", streamerId="x" * 128), "x" * 128, id="longest"),
        pytest.param(message(type="subscribe", streamerId="x" * 129), None, id="too-long"),
        pytest.param(message(type="subscribe", streamerId=""), None, id="empty"),
        pytest.param(message(type="subscribe", streamerId="a\nb"), None, id="not-printable"),
        pytest.param(message(type="subscribe", streamerId=7), None, id="not-a-string"),
        pytest.param(message(type="subscribe"), None, id="missing"),
        pytest.param(message(type="unsubscribe", streamerId="x"), None, id="unsubscribe"),
        pytest.param(message(type="offer", sdp="subscribe"), None, id="the-word-elsewhere"),
        pytest.param(message(type="subscribe", streamerId="x", more="y" * 2048), None, id="too-large"),
        pytest.param(b'["subscribe"]', None, id="a-list"),
        pytest.param(b"subscribe", None, id="no-json"),
        pytest.param(b"[" * 1900 + b"subscribe", None, id="nested"),
        pytest.param(b"\xffsubscribe", None, id="no-text"),
    ],
)
def test_streamer_of(text: bytes, streamer_id: str | None) -> None:
    assert subscribed_streamer(text) == streamer_id


@campaign(300)
@given(st.binary().map(lambda data: data[: len(data) // 2] + b"subscribe" + data[len(data) // 2 :]))
def test_anything_may_pass(text: bytes) -> None:
    assert subscribed_streamer(text) is None
