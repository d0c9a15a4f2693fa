"""Which route a request takes, and which problems of a file of routes are named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.edge.gateway.routes import Route, Routes, read_routes, single_route
from payments.endpoints import Endpoint
from payments.errors import Misconfigured
from tests.harness import campaign, uncoded

A, B, C, D = (Endpoint("192.0.2.1", port) for port in (1, 2, 3, 4))

NO_LISTS: list[Any] = [[], {}, {"routes": []}, {"routes": {"upstream": "h:1"}}, 7]

ROUTES = read_routes(
    json.dumps(
        {
            "routes": [
                {"upstream": "192.0.2.1:1"},
                {"path": "/lisbon/", "upstream": "192.0.2.1:2", "strip_path": True},
                {"path": "/lisbon/old", "upstream": "192.0.2.1:3"},
                {"host": "Play.Example.org", "upstream": "192.0.2.1:4"},
                {"host": "[2001:DB8:0::1]", "path": "/x", "upstream": "192.0.2.1:4", "strip_path": True},
            ]
        }
    ).encode(),
    "routes.json",
)


@pytest.mark.parametrize(
    ("host", "asked", "upstream", "target"),
    [
        pytest.param("e", "/", A, "/", id="fits-all"),
        pytest.param("e", "/lisbon", B, "/", id="path"),
        pytest.param("e", "/lisbon?a=/lisbon", B, "/?a=/lisbon", id="query-stays"),
        pytest.param("e", "/lisbon/player.html", B, "/player.html", id="below-the-path"),
        pytest.param("e", "/lisbon//x", B, "//x", id="two-slashes"),
        pytest.param("e", "/lisbonne", A, "/lisbonne", id="half-a-segment"),
        pytest.param("e", "/Lisbon", A, "/Lisbon", id="case-counts-in-paths"),
        pytest.param("e", "/lisbon/old/x", C, "/lisbon/old/x", id="longest-path"),
        pytest.param("play.example.org", "/lisbon", D, "/lisbon", id="host-goes-first"),
        pytest.param("PLAY.example.ORG.:8080", "/", D, "/", id="host-as-it-is-sent"),
        pytest.param("[2001:DB8::1]:80", "/x?y", D, "/?y", id="host-ipv6"),
        pytest.param("[2001:db8::1]", "/y", A, "/y", id="host-fits-and-path-does-not"),
        pytest.param("", "/", A, "/", id="no-host"),
    ],
)
def test_request_goes_by(host: str, asked: str, upstream: Endpoint, target: str) -> None:
    route = ROUTES.find(host, asked)
    assert route is not None
    assert (route.upstream, route.target(asked)) == (upstream, target)


def test_without_a_route_that_fits_there_is_none() -> None:
    assert read_routes(b'{"routes": [{"path": "/a", "upstream": "h:1"}]}', "x").find("e", "/b") is None


def test_a_single_upstream_takes_everything_as_it_is() -> None:
    route = single_route(A).find("any", "/any?x")
    assert route is not None
    assert (route.upstream, route.target("/any?x")) == (A, "/any?x")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("{", ["not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"]),
        pytest.param("\udcff", ["not UTF-8 (byte 0)"], id="bytes"),
        *(
            pytest.param(
                json.dumps(document), ['not of the form {"routes": [{"upstream": "HOST:PORT"}]}, with a route or more']
            )
            for document in NO_LISTS
        ),
        pytest.param(
            json.dumps(
                {
                    "rotues": [],
                    "routes": [
                        {"upstream": "http://192.0.2.1:1", "path": "lisbon"},
                        {"upstrem": "h:1"},
                        "h:1",
                        {"upstream": "h:1", "strip_path": "yes", "host": "a:80"},
                        {"upstream": 8888, "path": "/a?b"},
                        {"upstream": "", "host": ""},
                        {"upstream": "h:1", "path": "/x/"},
                        {"upstream": "h:2", "path": "/x"},
                    ],
                }
            ),
            [
                "rotues: nothing of that name is known here",
                'routes[0].upstream: "http://192.0.2.1:1" is not HOST:PORT, such as 192.0.2.7:80 or [2001:db8::7]:80',
                'routes[0].path: "lisbon" does not begin with "/", or has in it what no path has',
                "routes[1].upstrem: nothing of that name is known here",
                "routes[1].upstream: missing; it is the game host, such as 192.0.2.7:80",
                "routes[2]: not an object with an upstream",
                'routes[3].host: "a:80" is not the name or the address of a host, without a port',
                'routes[3].strip_path: "yes" is neither true nor false',
                'routes[4].upstream: "8888" is not HOST:PORT, such as 192.0.2.7:80 or [2001:db8::7]:80',
                'routes[4].path: "/a?b" does not begin with "/", or has in it what no path has',
                'routes[5].upstream: "" is not HOST:PORT, such as 192.0.2.7:80 or [2001:db8::7]:80',
                'routes[5].host: "" is not the name or the address of a host, without a port',
                "routes[7]: another route has the same host and path",
            ],
            id="all-at-once",
        ),
    ],
)
def test_everything_wrong_is_named_with_file_and_field(text: str, problems: list[str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_routes(text.encode(errors="surrogateescape"), "/etc/routes.json")
    assert uncoded(caught.value).split("\n") == [
        f"PS_GATEWAY_ROUTES_PATH: /etc/routes.json: {each}" for each in problems
    ]


PATHS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map(lambda parts: "".join(f"/{each}" for each in parts))
HOSTS = st.sampled_from([None, "x", "y"])
TABLES = st.dictionaries(st.tuples(HOSTS, PATHS), st.booleans(), max_size=8).map(
    lambda table: [
        Route(Endpoint("h", number + 1), path, host, strip)
        for number, ((host, path), strip) in enumerate(table.items())
    ]
)


@campaign(300)
@given(table=TABLES, host=st.sampled_from(["x", "y", "z"]), path=PATHS, order=st.randoms(use_true_random=False))
def test_the_route_is_the_closest_whatever_the_order(table: list[Route], host: str, path: str, order: Any) -> None:
    """A simple model: cut segments off the path until a route matches, first for this host, then for any."""
    asked = path or "/"
    prefixes = [path[: len(path) - cut] for cut in range(len(path) + 1) if not path[len(path) - cut :].strip("/ab")]
    prefixes = [each for each in prefixes if each == path or path[len(each)] == "/"]
    by_key = {(route.host, route.path): route for route in table}
    expected = next(
        (by_key[name, prefix] for name in (host, None) for prefix in prefixes if (name, prefix) in by_key), None
    )
    shuffled = list(table)
    order.shuffle(shuffled)
    found = Routes(tuple(shuffled)).find(f"{host}:8080", f"{asked}?q")
    assert found == expected
    if found is not None:
        target = found.target(f"{asked}?q")
        assert target.startswith("/")
        assert (found.path if found.strip_path else "") + target in (f"{asked}?q", f"{path}/?q")


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["/a", "h:1", "[::1]"])
FIELDS = st.sampled_from(["upstream", "path", "host", "strip_path", "other"])


@campaign(200)
@given(st.lists(st.dictionaries(FIELDS, VALUES, max_size=4) | VALUES, max_size=3))
def test_any_list_of_routes_is_read_or_refused_by_the_field(routes: list[Any]) -> None:
    try:
        read = read_routes(json.dumps({"routes": routes}).encode(), "x")
    except Misconfigured as error:
        problems = str(error)
        assert all(line.startswith("PAY-E02 PS_GATEWAY_ROUTES_PATH: x: ") for line in problems.splitlines())
    else:
        assert read.upstreams
