"""Which game host a request goes to. Pure.

A file of routes is ``{"routes": [...]}`` with an object for each route:

* ``upstream``: the game host, as ``HOST:PORT``.
* ``path``: prefix of the request's path, in whole segments.
* ``host``: the name in the request's ``Host`` header.
* ``strip_path``: whether to remove ``path`` before asking the game host.

If several routes match, one with a host beats one without, then the longest path wins. Their order does not matter.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from payments.endpoints import Endpoint, is_host, read_endpoint
from payments.errors import Misconfigured, quoted
from payments.strictjson import read_strictly

_SETTING = "PS_GATEWAY_ROUTES_PATH"
_FIELDS = ("upstream", "path", "host", "strip_path")


class Route(NamedTuple):
    """Requests for ``host`` (``None``: any) at or below ``path`` ("": any) go to ``upstream``."""

    upstream: Endpoint
    path: str = ""
    host: str | None = None
    strip_path: bool = False

    def matches(self, host: str, path: str) -> bool:
        """Whether the route applies to a request for that path at that host."""
        return self.host in (None, host) and (path == self.path or path.startswith(f"{self.path}/") or not self.path)

    def target(self, raw_path: str) -> str:
        """Path and query to ask the game host for. ``raw_path``: those that the viewer sent."""
        if not self.strip_path:
            return raw_path
        rest = raw_path[len(self.path) :]
        return rest if rest.startswith("/") else f"/{rest}"


class Routes:
    """All routes. Attributes: ``upstreams``: their game hosts, without duplicates."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.upstreams = sorted({route.upstream for route in routes})
        self._ordered = sorted(routes, key=lambda route: (route.host is None, -len(route.path)))

    def find(self, host_header: str, raw_path: str) -> Route | None:
        """The best route for a request; ``None``: none matches."""
        host = _host(host_header)
        path = raw_path.partition("?")[0]
        return next((route for route in self._ordered if route.matches(host, path)), None)


def single_route(upstream: Endpoint) -> Routes:
    """Routes that send everything to one game host."""
    return Routes((Route(upstream),))


def read_routes(text: bytes, name: str) -> Routes:
    """Parse ``text``, the contents of the file ``name``. Raises ``Misconfigured``, which lists all problems."""
    try:
        document = read_strictly(text)
    except ValueError as error:
        raise Misconfigured(f"PAY-E02 {_SETTING}: {name}: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("routes"), list) or not document["routes"]:
        raise Misconfigured(
            f'PAY-E02 {_SETTING}: {name}: not of the form {{"routes": [{{"upstream": "HOST:PORT"}}]}}, '
            "with a route or more"
        )
    problems = [f"{field}: nothing of that name is known here" for field in document if field != "routes"]
    routes: dict[tuple[str | None, str], Route] = {}
    for number, item in enumerate(document["routes"]):
        where = f"routes[{number}]"
        found = list(_problems(item))
        problems += [f"{where}{field}: {problem}" for field, problem in found]
        if not found:
            route = _route(item)
            if (route.host, route.path) in routes:
                problems.append(f"{where}: another route has the same host and path")
            routes[route.host, route.path] = route
    if problems:
        raise Misconfigured("\n".join(f"PAY-E02 {_SETTING}: {name}: {problem}" for problem in problems))
    return Routes(tuple(routes.values()))


def _route(item: dict[str, Any]) -> Route:
    host = None if (named := item.get("host")) is None else _host(named)
    if host is not None and host.startswith("["):
        # Spell IPv6 addresses as browsers do.
        host = f"[{IPv6Address(host[1:-1])}]"
    return Route(
        read_endpoint(item["upstream"]), item.get("path", "").rstrip("/"), host, item.get("strip_path", False)
    )  # fmt: skip


def _problems(item: Any) -> Iterator[tuple[str, str]]:
    """The problems of a route: pairs of ``.field`` ("": the whole route) and text."""
    if not isinstance(item, dict):
        yield "", "not an object with an upstream"
        return
    yield from ((f".{field}", "nothing of that name is known here") for field in item if field not in _FIELDS)
    if "upstream" not in item:
        yield ".upstream", "missing; it is the game host, such as 192.0.2.7:80"
    else:
        try:
            read_endpoint(str(item["upstream"]))
        except ValueError as error:
            yield ".upstream", str(error)
    if "path" in item and not _is_path(item["path"]):
        yield ".path", f'{_quoted(item["path"])} does not begin with "/", or has in it what no path has'
    if "host" in item and not _is_host(item["host"]):
        yield ".host", f"{_quoted(item['host'])} is not the name or the address of a host, without a port"
    if not isinstance(item.get("strip_path", False), bool):
        yield ".strip_path", f"{_quoted(item['strip_path'])} is neither true nor false"


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"/[!-~]*", value)) and not set(value) & set('?#"<>\\')


def _is_host(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and "%" not in value and is_host(value)


def _host(header: str) -> str:
    """The name in a ``Host`` header, normalised for comparison."""
    return re.sub(r":[0-9]*$", "", header).rstrip(".").lower()


def _quoted(value: Any) -> str:
    return quoted(value[:80]) if isinstance(value, str) else repr(value)[:80]
