"""Which headers are passed on."""

import pytest
from multidict import CIMultiDict

from payments.edge.gateway.headers import offered_protocols, to_upstream, to_viewer

ASKED = CIMultiDict(
    [
        ("Host", "play.example.org"),
        ("Cookie", "a=1"),
        ("cookie", "b=2"),
        ("Connection", "keep-alive, X-Hop, Host"),
        ("connection", "x-other"),
        ("Keep-Alive", "5"),
        ("X-Hop", "1"),
        ("X-Other", "1"),
        ("TE", "trailers"),
        ("Transfer-Encoding", "chunked"),
        ("Proxy-Authorization", "secret"),
        ("Expect", "100-continue"),
        ("Upgrade", "h2c"),
        ("Sec-WebSocket-Key", "x"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-For", "192.0.2.2"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "elsewhere"),
        ("X-Real-IP", "192.0.2.1"),
        ("Forwarded", "for=192.0.2.1"),
        ("Range", "bytes=0-"),
    ]
)


@pytest.mark.parametrize(
    ("is_behind_proxy", "forwarded_for", "proto"),
    [
        pytest.param(False, "198.51.100.7", "http", id="a-viewer-is-not-believed"),
        pytest.param(True, "192.0.2.1, 192.0.2.2, 198.51.100.7", "https", id="a-proxy-is"),
    ],
)
def test_request_headers_for_the_game_host(is_behind_proxy: bool, forwarded_for: str, proto: str) -> None:
    """Headers of one connection are dropped, also those that the viewer names; forwarding headers are replaced."""
    assert list(to_upstream(ASKED, "198.51.100.7", is_behind_proxy=is_behind_proxy).items()) == [
        ("Host", "play.example.org"),
        ("Cookie", "a=1"),
        ("cookie", "b=2"),
        ("Range", "bytes=0-"),
        ("X-Forwarded-For", forwarded_for),
        ("X-Forwarded-Proto", proto),
        ("X-Forwarded-Host", "play.example.org"),
    ]


def test_behind_a_proxy_without_headers_the_proxy_counts_as_the_client() -> None:
    told = to_upstream(CIMultiDict(), "198.51.100.7", is_behind_proxy=True)
    assert dict(told) == {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "http"}


def test_response_headers_for_the_viewer() -> None:
    answer = CIMultiDict([("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Connection", "close"), ("Content-Length", "3")])
    assert list(to_viewer(answer).items()) == [("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Content-Length", "3")]


def test_offers_are_taken_from_all_lines_in_order() -> None:
    offers = CIMultiDict([("Sec-WebSocket-Protocol", "a, b,,"), ("sec-websocket-protocol", " c ")])
    assert offered_protocols(offers) == ("a", "b", "c")
