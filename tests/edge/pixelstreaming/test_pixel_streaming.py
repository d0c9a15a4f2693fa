"""The stage itself: without a gateway, Epic's frontend plays what a streamer sends."""

import pytest
from playwright.sync_api import Browser

from tests.edge.pixelstreaming.stage import LISBON, PORTO, Signalling, Streamer, player, stream


@pytest.mark.parametrize("streamer", [LISBON, PORTO], ids=lambda streamer: streamer.id)
def test_without_a_gateway_a_player_plays_the_stream_that_it_asks_for(
    browser: Browser, server: Signalling, streamer: Streamer
) -> None:
    with player(browser, server, f"http://{server.players}/", StreamerId=streamer.id) as one:
        one.check_plays(streamer)
    assert server.saw("left", id=one.id)["code"] == 1001
    said = server.messages(one.id)
    assert said[:2] == ["listStreamers", "subscribe"]
    assert {"answer", "iceCandidate"} < set(said)


def test_without_a_gateway_a_player_whose_streamer_goes_is_let_go_with_no_code(
    browser: Browser, server: Signalling
) -> None:
    faro = LISBON._replace(id="faro")
    page = stream(browser, server, faro)
    with player(browser, server, f"http://{server.players}/", StreamerId=faro.id, MaxReconnectAttempts="0") as one:
        one.check_plays(faro)
        page.close()
        assert one.closings(1) == [1005]
    assert server.saw("left", id=one.id)["code"] == 1005
