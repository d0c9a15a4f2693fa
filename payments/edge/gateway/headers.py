"""Which headers are passed on. Pure.

Headers of a single connection are dropped (RFC 9110, section 7.6.1). Forwarding headers are replaced, so that viewers
cannot fake their address or protocol; only a trusted proxy in front may set them.
"""

from collections.abc import Iterable

from multidict import CIMultiDict, CIMultiDictProxy

_OF_ONE_CONNECTION = frozenset(
    {
        "connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_OF_ONE_WEBSOCKET = frozenset({"sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"})
_WRITTEN_ANEW = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})

Headers = CIMultiDict[str] | CIMultiDictProxy[str]


def to_upstream(headers: Headers, peer_ip: str, *, is_behind_proxy: bool) -> CIMultiDict[str]:
    """Headers of a viewer's request for the game host.

    ``peer_ip``: the address that the gateway is connected to: the viewer, or if it ``is_behind_proxy``, the proxy. The
    proxy's X-Forwarded-For and X-Forwarded-Proto are trusted.
    """
    kept = _without(headers, _WRITTEN_ANEW | _OF_ONE_WEBSOCKET)
    before = headers.getall("X-Forwarded-For", []) if is_behind_proxy else []
    kept["X-Forwarded-For"] = ", ".join([*before, peer_ip])
    is_https = is_behind_proxy and headers.get("X-Forwarded-Proto", "").lower() == "https"
    kept["X-Forwarded-Proto"] = "https" if is_https else "http"
    if "Host" in headers:
        kept["X-Forwarded-Host"] = headers["Host"]
    return kept


def to_viewer(headers: Headers) -> CIMultiDict[str]:
    """Headers of a game host's response for the viewer."""
    return _without(headers, ())


def offered_protocols(headers: Headers) -> tuple[str, ...]:
    """Subprotocols that the viewer offers, in order."""
    offers = ",".join(headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(each.strip() for each in offers.split(",") if each.strip())


def _without(headers: Headers, others: Iterable[str]) -> CIMultiDict[str]:
    named = {each.strip().lower() for line in headers.getall("Connection", []) for each in line.split(",")}
    left_out = _OF_ONE_CONNECTION | named.difference({"host", "content-length"}) | set(others)
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)
