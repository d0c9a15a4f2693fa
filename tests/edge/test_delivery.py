"""What an edge sends to Payments, and to which address."""

from pathlib import Path

import pytest

from payments.edge.client import PaymentsClient
from payments.edge.delivery import MAX_EVENTS
from tests.edge.deliveries import all_is_delivered
from tests.edge.edge import EdgeLife, edge, edge_settings
from tests.edge.stand_in import MANY, StandIn
from tests.harness import HOST_A, free_port


def test_a_batch_is_an_array_of_events_with_all_that_is_known(life: EdgeLife, stand_in: StandIn) -> None:
    session = life.begin(streamer_id="streamer-1")
    life.write()
    assert life.delivery.step() == 0.2
    (call,) = stand_in.calls
    assert call.path == MANY
    assert call.headers["Content-Type"] == "application/json"
    assert "X-Session-Token" not in call.headers
    (event,) = call.items
    assert {**event, "event_id": ""} == {
        "session_id": session.session_id,
        "event": "start",
        "seq": 1,
        "event_id": "",
        "occurred_at": "2027-01-15T08:00:00.000Z",
        "upstream_addr": HOST_A,
        "upstream_port": 8888,
        "edge_id": "edge-a",
        "streamer_id": "streamer-1",
    }


def test_the_token_is_sent_as_the_header_that_payments_expects(tmp_path: Path, stand_in: StandIn) -> None:
    caller = PaymentsClient(edge_settings(stand_in.url, tmp_path, session_token="s3cret"))
    caller.post(MANY, b"[]")
    caller.close()
    assert stand_in.calls[0].headers["X-Session-Token"] == "s3cret"


def test_a_batch_has_up_to_500_events_and_the_next_follows_a_fifth_of_a_second_later(
    life: EdgeLife, stand_in: StandIn
) -> None:
    for _ in range(1200):
        life.begin()
    life.write()
    assert [life.delivery.step() for _ in range(4)] == [0.2, 0.2, 0.2, None]
    assert [len(call.items) for call in stand_in.calls] == [MAX_EVENTS, MAX_EVENTS, 200]


def test_a_batch_stays_below_a_mebibyte(life: EdgeLife, stand_in: StandIn) -> None:
    for _ in range(1000):
        life.begin(streamer_id="\U0001f600" * 128)
    life.write()
    life.deliver()
    sizes = [int(call.headers["Content-Length"]) for call in stand_in.calls]
    assert max(sizes) < 1 << 20
    assert sum(len(call.items) for call in stand_in.calls) == 1000


def test_proxies_of_the_environment_are_not_asked(
    life: EdgeLife, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    all_is_delivered(life, stand_in)


def test_a_path_in_front_of_the_api_is_kept(tmp_path: Path, stand_in: StandIn) -> None:
    with edge(tmp_path / "spool", f"{stand_in.url}/payments") as life:
        life.begin()
        life.write()
        life.delivery.step()
    assert stand_in.calls[0].path == f"/payments{MANY}"
