"""Which headers go on to the other side. Pure.

What concerns one connection only stays there (RFC 9110, section 7.6.1). What says who has asked, and for what, is
written anew: nobody can claim to be another one, or to have come another way, but where a proxy in front says so.
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
    """Those of a viewer's request, as the game host gets them.

    ``peer_ip``: whom the gateway is connected to, which is the viewer unless it ``is_behind_proxy``; then that is
    believed who its viewer is, and whether he came by https.
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
    """Those of a game host's answer, as the viewer gets them."""
    return _without(headers, ())


def offered_protocols(headers: Headers) -> tuple[str, ...]:
    """The subprotocols that a viewer offers, in order."""
    offers = ",".join(headers.getall("Sec-WebSocket-Protocol", []))
    return tuple(each.strip() for each in offers.split(",") if each.strip())


def _without(headers: Headers, others: Iterable[str]) -> CIMultiDict[str]:
    named = {each.strip().lower() for line in headers.getall("Connection", []) for each in line.split(",")}
    left_out = _OF_ONE_CONNECTION | named.difference({"host", "content-length"}) | set(others)
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)
