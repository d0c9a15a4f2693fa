"""An event's line: what is written is read back, and nothing else passes for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.sessions import END, HEARTBEAT, START
from payments.edge.lines import BadLine, Said, checked, content_of, following, line, read, spooled
from tests.harness import NOON_MS, campaign

SAID = Said("s-1", "edge-a", "203.0.113.10", None, "st\u00fcck")


def written() -> bytes:
    event = spooled(SAID, HEARTBEAT, 7, NOON_MS, "e-1")
    event.position = 12
    return line(event)


def test_line_is_as_it_is_specified() -> None:
    text = written()
    assert json.loads(text) == {
        "position": 12,
        "event": {
            "session_id": "s-1",
            "edge_id": "edge-a",
            "upstream_addr": "203.0.113.10",
            "streamer_id": "st\u00fcck",
            "event": "heartbeat",
            "seq": 7,
            "event_id": "e-1",
            "occurred_at": "2027-01-15T08:00:00.000Z",
        },
        "crc": text[-11:-3].decode(),
    }
    assert content_of(text)["position"] == 12


@pytest.mark.parametrize("kind", [START, HEARTBEAT, END])
def test_what_is_written_is_read_back(kind: str) -> None:
    event = spooled(SAID, kind, 1, NOON_MS, "e-1")
    event.position = 2**40
    found = read(line(event))
    names = ("session_id", "kind", "seq", "occurred_ms", "body", "position", "size_bytes")
    assert [getattr(found, name) for name in names] == [getattr(event, name) for name in names]
    assert len(line(event)) <= event.size_bytes


@campaign(300)
@given(st.integers(0, len(written()) - 1), st.integers(0, 255))
def test_any_byte_that_is_changed_is_noticed(index: int, byte: int) -> None:
    text = bytearray(written())
    if text[index] == byte:
        return
    text[index] = byte
    with pytest.raises(BadLine):
        read(bytes(text))


@pytest.mark.parametrize("length", range(len(written())))
def test_a_line_that_breaks_off_anywhere_is_none(length: int) -> None:
    with pytest.raises(BadLine, match="it breaks off"):
        read(written()[:length])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[1", id="no-object"),
        pytest.param(b'{"event":', id="no-json"),
        pytest.param(b'{"position":1', id="no-event"),
        pytest.param(b'{"position":0,"event":{"session_id":"s","event":"end","seq":1,"occurred_at":"%b"}', id="zero"),
        pytest.param(b'{"position":1,"event":{"session_id":"s","event":"ends","seq":1,"occurred_at":"%b"}', id="kind"),
        pytest.param(b'{"position":1,"event":{"session_id":1,"event":"end","seq":1,"occurred_at":"%b"}', id="id"),
        pytest.param(b'{"position":1,"event":{"session_id":"s","event":"end","seq":"1","occurred_at":"%b"}', id="seq"),
        pytest.param(b'{"position":1,"event":{"session_id":"s","event":"end","seq":1,"occurred_at":"noon"}', id="time"),
        pytest.param(b'{"position":1,"event":[]', id="list"),
    ],
)
def test_what_is_whole_and_no_event_is_refused(content: bytes) -> None:
    with pytest.raises(BadLine, match="it is not"):
        read(checked(content.replace(b"%b", b"2027-01-15T08:00:00.000Z")))


def test_what_follows_says_the_same_at_the_same_moment() -> None:
    last = spooled(SAID, HEARTBEAT, 7, NOON_MS, "e-1")
    end = following(last, END, "e-2")
    assert (end.session_id, end.kind, end.seq, end.occurred_ms) == ("s-1", END, 8, NOON_MS)
    assert json.loads(end.body) == {**json.loads(last.body), "event": "end", "seq": 8, "event_id": "e-2"}
