"""Every accepted form of an address works: for pages, WebSockets and reports."""

import json
from http import HTTPStatus
from pathlib import Path

import pytest
import requests
from websockets.http11 import Request, Response
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection

from tests.edge.gateway.gateways import running_gateway
from tests.edge.gateway.hosts import hosting
from tests.edge.gateway.reports import Watch
from tests.edge.stand_in import StandIn, standing_in
from tests.harness import RealClock


def page(connection: ServerConnection, request: Request) -> Response | None:
    """The host's answer to a plain request."""
    return None if "Upgrade" in request.headers else connection.respond(HTTPStatus.OK, "the player page")


def check_serves(url: str) -> None:
    """Check that a page and a WebSocket pass."""
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.text) == (200, "the player page")
    with connect(url.replace("http", "ws"), compression=None) as viewer:
        viewer.send("hello")
        assert viewer.recv(timeout=10) == "hello"


@pytest.mark.parametrize("by", ["upstream", "route"])
@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("[::1]", "::1"), ("[0:0::0001]", "::1"), ("[::ffff:127.0.0.1]", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
    ],
)  # fmt: skip
def test_game_host_is_reached_and_reported_by_its_canonical_address(
    tmp_path: Path, payments: StandIn, written: str, address: str, by: str
) -> None:
    watch = Watch(payments)
    with hosting(address=address, process_request=page) as host:
        at = f"{written}:{host.port}"
        (tmp_path / "routes.json").write_text(json.dumps({"routes": [{"upstream": at}]}))
        setting = {"PS_GATEWAY_UPSTREAM": at}
        if by == "route":
            setting = {"PS_GATEWAY_ROUTES_PATH": str(tmp_path / "routes.json")}
        with running_gateway(tmp_path, payments.url, **setting) as gateway:
            check_serves(gateway.url)
            (events,) = watch.ended()
    assert {(each["upstream_addr"], each["upstream_port"]) for each in events} == {(address, host.port)}


@pytest.mark.parametrize("address", ["[::1]", "localhost"])
def test_gateway_its_health_and_payments_may_be_at(tmp_path: Path, address: str) -> None:
    listening = "127.0.0.1" if address == "localhost" else address
    with (
        standing_in(RealClock(), listening) as payments,
        hosting(process_request=page) as host,
        running_gateway(tmp_path, payments.url.replace(listening, address), host.at, address=address) as gateway,
    ):
        watch = Watch(payments)
        check_serves(gateway.url)
        watch.ended()
        assert gateway.admin("/readyz").status_code == 200


def test_all_addresses_are_those_of_both_families(tmp_path: Path, payments: StandIn) -> None:
    with (
        hosting(process_request=page) as host,
        running_gateway(tmp_path, payments.url, host.at, address="[::]") as gateway,
    ):
        for here in ("127.0.0.1", "[::1]"):
            check_serves(f"http://{here}:{gateway.port}")
