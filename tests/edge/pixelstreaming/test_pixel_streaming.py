"""Pixel Streaming with and without ``ps-gateway``: Epic's frontend plays, and Payments records sessions."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.edge.gateway.gateways import running_gateway
from tests.edge.pixelstreaming.stage import HOST, LISBON, PORTO, Player, Signalling, Streamer, player, stream
from tests.harness import JSON, Server

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def edge(shared_server: Server, signalling: Signalling, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a gateway that sends everything to the signalling server, also below ``/stage``."""
    folder = tmp_path_factory.mktemp("edge")
    routes = [{"upstream": signalling.players}, {"path": "/stage", "upstream": signalling.players, "strip_path": True}]
    (folder / "routes.json").write_text(json.dumps({"routes": routes}))
    shared_server.register(host_public_ip=HOST)
    with running_gateway(folder, shared_server.url, PS_GATEWAY_ROUTES_PATH=str(folder / "routes.json")) as running:
        yield running.url.removeprefix("http://")


class HeardSessions:
    """Sessions that Payments knows from this test, oldest first."""

    def __init__(self, payments: Server) -> None:
        self._payments = payments
        self._before = {each["session_id"] for each in self._list()}

    def wait(self, *statuses: str, **last: str) -> list[JSON]:
        """Wait until the sessions have these statuses, and the last one these fields."""
        deadline_s = time.monotonic() + 20
        while True:
            found = [each for each in self._list() if each["session_id"] not in self._before]
            found.sort(key=lambda each: each["started_at"])
            if [each["status"] for each in found] == list(statuses) and last.items() <= found[-1].items():
                return found
            assert time.monotonic() < deadline_s, found
            time.sleep(0.05)

    def _list(self) -> list[JSON]:
        found: list[JSON] = self._payments.get("/api/sessions", limit=2000)["sessions"]
        return found


@pytest.fixture
def sessions(shared_server: Server) -> HeardSessions:
    return HeardSessions(shared_server)


def check_wire(signalling: Signalling, one: Player) -> None:
    """Types of the player's messages up to its connection to the streamer."""
    said = signalling.messages(one.id)
    assert said[:2] == ["listStreamers", "subscribe"]
    assert {"answer", "iceCandidate"} < set(said)


@pytest.mark.parametrize("streamer", [LISBON, PORTO], ids=lambda streamer: streamer.id)
def test_without_a_gateway_a_player_plays_the_stream_that_it_asks_for(
    browser: Browser, signalling: Signalling, streamer: Streamer
) -> None:
    with player(browser, signalling, f"http://{signalling.players}/", StreamerId=streamer.id) as one:
        one.check_plays(streamer)
    assert signalling.saw("left", id=one.id)["code"] == 1001
    check_wire(signalling, one)


def test_without_a_gateway_a_player_whose_streamer_goes_is_let_go_with_no_code(
    browser: Browser, signalling: Signalling
) -> None:
    faro = LISBON._replace(id="faro")
    page = stream(browser, signalling, faro)
    with player(
        browser, signalling, f"http://{signalling.players}/", StreamerId=faro.id, MaxReconnectAttempts="0"
    ) as one:
        one.check_plays(faro)
        page.close()
        assert one.closings(1) == [1005]
    assert signalling.saw("left", id=one.id)["code"] == 1005


def test_a_viewer_is_a_session_from_the_upgrade_until_the_tab_closes(
    browser: Browser, signalling: Signalling, edge: str, sessions: HeardSessions
) -> None:
    before_s = time.monotonic()
    with player(browser, signalling, f"http://{edge}/", StreamerId=LISBON.id) as one:
        one.check_plays(LISBON)
        playing_s = time.monotonic()
        (session,) = sessions.wait("active", streamer_id=LISBON.id)
        assert f"{session['upstream_addr']}:{session['upstream_port']}" == signalling.players
        assert session["orchestrator_id"] == "orch-a"
        closing_s = time.monotonic()
    assert signalling.saw("left", id=one.id)["code"] == 1001
    closed_s = time.monotonic()
    check_wire(signalling, one)
    (ended,) = sessions.wait("ended")
    assert ended["session_id"] == session["session_id"]
    assert (ended["streamer_id"], ended["last_event"]) == (LISBON.id, "end")
    assert closing_s - playing_s <= ended["billed_ms"] / 1000 <= closed_s - before_s


def test_disconnect_ends_the_session_and_connect_begins_another(
    browser: Browser, signalling: Signalling, edge: str, sessions: HeardSessions
) -> None:
    with player(browser, signalling, f"http://{edge}/", StreamerId=LISBON.id) as one:
        one.check_plays(LISBON)
        one.do("disconnect()")
        assert signalling.saw("left", id=one.id)["code"] == 1000
        sessions.wait("ended", streamer_id=LISBON.id)
        one.do("connect()")
        one.wait_for_connection()
        one.check_plays(LISBON)
        sessions.wait("ended", "active")
    sessions.wait("ended", "ended", streamer_id=LISBON.id)


def test_a_tab_that_crashes_ends_its_session(
    browser: Browser, signalling: Signalling, edge: str, sessions: HeardSessions
) -> None:
    with player(browser, signalling, f"http://{edge}/", StreamerId=PORTO.id) as one:
        one.check_plays(PORTO)
        one.crash()
        assert signalling.saw("left", id=one.id)["code"] == 1001
        sessions.wait("ended", streamer_id=PORTO.id)


def test_a_session_ends_when_its_streamer_goes_and_the_frontend_comes_back_by_itself(
    browser: Browser, signalling: Signalling, edge: str, sessions: HeardSessions
) -> None:
    faro = PORTO._replace(id="faro")
    page = stream(browser, signalling, faro)
    with player(browser, signalling, f"http://{edge}/", StreamerId=faro.id) as one:
        one.check_plays(faro)
        page.close()
        assert one.closings(1) == [1005]
        sessions.wait("ended", streamer_id=faro.id)
        page = stream(browser, signalling, faro)
        one.wait_for_connection()
        one.check_plays(faro)
        sessions.wait("ended", "active")
    sessions.wait("ended", "ended", streamer_id=faro.id)
    page.close()


def test_a_restart_of_the_gateway_ends_the_session_and_the_frontend_comes_back_by_itself(
    browser: Browser, signalling: Signalling, shared_server: Server, sessions: HeardSessions, tmp_path: Path
) -> None:
    """By default it tries three times in six seconds; here more often, because starts may be slow."""
    with (
        running_gateway(tmp_path, shared_server.url, signalling.players) as gateway,
        player(browser, signalling, gateway.url, StreamerId=LISBON.id, MaxReconnectAttempts="15") as one,
    ):
        one.check_plays(LISBON)
        sessions.wait("active", streamer_id=LISBON.id)
        assert gateway.stop() == 0
        sessions.wait("ended", streamer_id=LISBON.id)
        gateway.start()
        one.wait_for_connection()
        one.check_plays(LISBON)
        assert one.page.evaluate("closings[0]") == 1012
        sessions.wait("ended", "active", streamer_id=LISBON.id)


def test_a_viewer_who_turns_to_another_streamer_stays_in_one_session(
    browser: Browser, signalling: Signalling, edge: str, sessions: HeardSessions
) -> None:
    with player(browser, signalling, f"http://{edge}/", StreamerId=LISBON.id) as one:
        one.check_plays(LISBON)
        sessions.wait("active", streamer_id=LISBON.id)
        one.do(f"config.setOptionSettingValue('StreamerId', '{PORTO.id}')")
        one.check_plays(PORTO)
    sessions.wait("ended", streamer_id=PORTO.id)


def test_below_a_path_the_frontend_must_be_told_where_its_signalling_is(
    browser: Browser, signalling: Signalling, edge: str, sessions: HeardSessions
) -> None:
    """By default it connects to ``/`` at the page's host, whatever the page's path."""
    with closing(browser.new_page()) as page:
        page.goto(f"http://{edge}/stage/?AutoConnect=false")
        assert page.evaluate("pixelStreaming.config.getTextSettingValue('ss')") == f"ws://{edge}"
    with player(browser, signalling, f"http://{edge}/stage/", StreamerId=LISBON.id, ss=f"ws://{edge}/stage/") as one:
        one.check_plays(LISBON)
    sessions.wait("ended", streamer_id=LISBON.id)
