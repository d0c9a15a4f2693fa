"""Settings of an edge: defaults, valid values, and all problems reported together."""

import os
import socket
from dataclasses import fields
from pathlib import Path

import pytest

from payments.edge.settings import EdgeSettings
from payments.endpoints import Endpoint
from payments.errors import Misconfigured
from tests.harness import uncoded

NO_ENV_FILE = Path("no-such-folder/.env")
URL = "PAYMENTS_API_URL"

DEFAULTS: dict[str, object] = {
    "PAYMENTS_SESSION_TOKEN": None,
    "PAYMENTS_SESSION_HEARTBEAT_SECONDS": 15,
    "PAYMENTS_SPOOL_DIR": Path("spool"),
    "PAYMENTS_SPOOL_BYTES": 67108864,
    "PS_GATEWAY_LISTEN": Endpoint("0.0.0.0", 8080),
    "PS_GATEWAY_UPSTREAM": None,
    "PS_GATEWAY_ROUTES_PATH": None,
    "PS_GATEWAY_ADMIN_LISTEN": Endpoint("127.0.0.1", 9091),
    "PS_GATEWAY_DRAIN_SECONDS": 4,
    "PS_GATEWAY_PING_SECONDS": 15,
    "PS_GATEWAY_MAX_VIEWERS": 4000,
    "PS_GATEWAY_MAX_MESSAGE_BYTES": 1048576,
    "PS_GATEWAY_BEHIND_PROXY": False,
}

GOOD: dict[str, list[tuple[str, object]]] = {
    URL: [
        ("http://[2001:db8::1]:8081/behind/", "http://[2001:db8::1]:8081/behind"),
    ],
    "PAYMENTS_SESSION_TOKEN": [("one", "one"), (" one, ", "one")],
    "PAYMENTS_SESSION_HEARTBEAT_SECONDS": [("1", 1), ("3600", 3600)],
    "PAYMENTS_EDGE_ID": [("edge-a", "edge-a"), ("x" * 64, "x" * 64), ("\u039e 1", "\u039e 1")],
    "PAYMENTS_SPOOL_BYTES": [("1048576", 1048576)],
    "PS_GATEWAY_LISTEN": [("[::]:80", Endpoint("::", 80)), ("localhost:65535", Endpoint("localhost", 65535))],
    "PS_GATEWAY_UPSTREAM": [("[2001:db8::7]:80", Endpoint("2001:db8::7", 80))],
    "PS_GATEWAY_DRAIN_SECONDS": [("0", 0)],
    "PS_GATEWAY_PING_SECONDS": [("1", 1)],
    "PS_GATEWAY_MAX_VIEWERS": [("1", 1)],
    "PS_GATEWAY_MAX_MESSAGE_BYTES": [("1024", 1024)],
}

BAD: dict[str, list[str]] = {
    URL: ["", "192.0.2.1:8081", "http://192.0.2.1/?x=1"],
    "PAYMENTS_SESSION_TOKEN": ["one,two", "two words", "caf\u00e9", ","],
    "PAYMENTS_SESSION_HEARTBEAT_SECONDS": ["0", "3601", "1.5", "15s"],
    "PAYMENTS_EDGE_ID": ["x" * 65, "bell\x07"],
    "PAYMENTS_SPOOL_BYTES": ["1048575", "64M"],
    "PS_GATEWAY_LISTEN": ["8080", "::1:80"],
    "PS_GATEWAY_UPSTREAM": ["203.0.113.10"],
    "PS_GATEWAY_DRAIN_SECONDS": ["-1", "3601"],
    "PS_GATEWAY_PING_SECONDS": ["0", "3601"],
    "PS_GATEWAY_MAX_VIEWERS": ["0"],
    "PS_GATEWAY_MAX_MESSAGE_BYTES": ["1023", "1073741825"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("PAYMENTS_", "PS_GATEWAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(URL, "http://192.0.2.1:8081")


def by_name(settings: EdgeSettings) -> dict[str, object]:
    return {each.metadata["name"]: getattr(settings, each.name) for each in fields(settings)}


def test_every_default_is_the_documented_one_and_the_edge_is_called_as_its_host() -> None:
    values = by_name(EdgeSettings.load(NO_ENV_FILE))
    assert values[URL] == "http://192.0.2.1:8081"
    assert values["PAYMENTS_EDGE_ID"] == socket.gethostname()[:64]
    assert {name: values[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [pytest.param(name, *case, id=f"{name}={case[0]!a}") for name, cases in GOOD.items() for case in cases],
)
def test_value_is_taken_and_spelled_as_it_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(name, text)
    settings = EdgeSettings.load(NO_ENV_FILE)
    assert by_name(settings)[name] == value
    spelled = settings.spelled()[name]
    if name != "PAYMENTS_SESSION_TOKEN":
        assert spelled is not None
        monkeypatch.setenv(name, spelled)
        assert EdgeSettings.load(NO_ENV_FILE) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param(name, text, id=f"{name}={text!a}") for name, texts in BAD.items() for text in texts],
)
def test_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(Misconfigured, match=rf"\APAY-C01 {name}: .+\Z"):
        EdgeSettings.load(NO_ENV_FILE)


def test_all_problems_are_reported_together_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "http://user:s3cret@192.0.2.1")
    monkeypatch.setenv("PAYMENTS_SESSION_TOKEN", "s3cret token")
    monkeypatch.setenv("PS_GATEWAY_LISTEN", "nowhere")
    with pytest.raises(Misconfigured) as caught:
        EdgeSettings.load(NO_ENV_FILE)
    assert uncoded(caught.value).split("\n") == [
        'PAYMENTS_API_URL: leave out user and password: an address has no "@" here',
        "PAYMENTS_SESSION_TOKEN: a token may hold printable ASCII without spaces only, "
        "or no HTTP header could carry it",
        'PS_GATEWAY_LISTEN: "nowhere" is not HOST:PORT, such as 192.0.2.7:80 or [2001:db8::7]:80',
    ]


def test_the_address_of_payments_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL)
    with pytest.raises(
        Misconfigured, match=r"PAYMENTS_API_URL: not set; it is the address of Payments, such as http://"
    ):
        EdgeSettings.load(NO_ENV_FILE)


def test_the_token_is_not_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_SESSION_TOKEN", "s3cret")
    assert "s3cret" not in repr(EdgeSettings.load(NO_ENV_FILE))


def test_names_that_are_mistyped_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("PAYMENTS_SPOOL_DIRS=x\nPS_GATEWAY_UPSTREEM=y\nPS_OTHER=z\nPAYMENTS_EDGE_ID=a\n")
    assert EdgeSettings.name_warnings(file) == [
        "PAY-C14 PAYMENTS_SPOOL_DIRS: unknown setting, ignored; did you mean PAYMENTS_SPOOL_DIR?",
        "PAY-C14 PS_GATEWAY_UPSTREEM: unknown setting, ignored; did you mean PS_GATEWAY_UPSTREAM?",
    ]
