"""The stage itself: without a gateway, Epic's frontend plays what a streamer sends."""

import pytest
from playwright.sync_api import Browser

from tests.edge.pixelstreaming.stage import LISBON, PORTO, Player, Signalling, Streamer


@pytest.mark.parametrize("streamer", [LISBON, PORTO], ids=lambda streamer: streamer.id)
def test_a_player_plays_the_stream_that_it_asks_for(browser: Browser, server: Signalling, streamer: Streamer) -> None:
    player = Player(browser, server, f"http://{server.players}/?StreamerId={streamer.id}")
    player.check_plays(streamer)
    player.page.close()
    assert server.saw("left", id=player.id)["code"] == 1001
    said = server.messages(player.id)
    assert said[:2] == ["listStreamers", "subscribe"]
    assert {"answer", "iceCandidate"} < set(said)
