"""Valid and invalid values of each kind of setting."""

import os
from pathlib import Path

import pytest

from payments.errors import Misconfigured
from payments.settings import Settings

NO_ENV_FILE = Path("no-such-folder/.env")

GOOD: dict[str, list[tuple[str, object]]] = {
    "POWER_POLL_SECONDS": [("1", 1), (" 007 ", 7), ("86400", 86_400)],
    "POWER_MAX_GAP_SECONDS": [("31622400", 31_622_400)],
    "POWER_TIMEOUT_SECONDS": [("60", 60)],
    "SESSION_REAP_SECONDS": [("0", 0), ("1000000000000", 10**12)],
    "POWER_PORT": [("1", 1), ("65535", 65535)],
    "POWER_CONCURRENCY": [("4096", 4096)],
    "JOURNAL_SEGMENT_BYTES": [("4096", 4096)],
    "SESSION_CREDIT_ETH_PER_MINUTE": [
        ("0", 0), ("0.000000000000000001", 1), ("1.50", 15 * 10**17), ("00.1", 10**17),
        ("999999999999", 999_999_999_999 * 10**18),
    ],
    "POWER_METER_ENABLED": [
        ("1", True), ("TRUE", True), ("yes", True), ("On", True),
        ("0", False), ("false", False), ("NO", False), ("off", False),
    ],
    "BIND": [
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::1]:8081", "[::1]:8081"),
        ("localhost:1", "localhost:1"),
        ("unix:/run/payments.sock", "unix:/run/payments.sock"),
    ],
    "SESSION_REPORTER_TOKEN": [("one", ("one",)), (" old , new,", ("old", "new")), ("a=b;c!~", ("a=b;c!~",))],
    "VIEWER_TOKENS": [("one,two,three", ("one", "two", "three"))],
    "API_ADMIN_TOKEN": [("one", "one"), ("one,", "one")],
    "CREDIT_UNIT": [("wei", "wei"), ("x" * 16, "x" * 16), ("\u039e", "\u039e")],
    "DATA_DIR": [("relative", Path("relative")), ("~", Path.home()), ("~/pay ments", Path.home() / "pay ments")],
    "BOOTSTRAP_ORCHESTRATORS_PATH": [("b.json", Path("b.json"))],
}  # fmt: skip

BAD: dict[str, list[str]] = {
    "POWER_POLL_SECONDS": [
        "0", "-1", "+1", "1.0", "1e3", "0x10", "1_000", "1 000", "ten", "\u0665", "\u00b2", "9" * 40,
    ],
    "SESSION_REAP_SECONDS": ["1000000000001", "60s"],
    "POWER_MAX_GAP_SECONDS": ["0", "31622401"],
    "POWER_TIMEOUT_SECONDS": ["0", "61"],
    "POWER_PORT": ["0", "65536"],
    "POWER_CONCURRENCY": ["0", "4097"],
    "JOURNAL_SEGMENT_BYTES": ["4095"],
    "SESSION_CREDIT_ETH_PER_MINUTE": [
        "-1", "1e-3", ".5", "5.", "0,1", "1.0000000000000000001", "NaN", "inf", "\u0661", "1 eth", "1000000000000",
    ],
    "POWER_METER_ENABLED": ["2", "y", "maybe", "true false"],
    "BIND": ["8081", ":8081", "::1:8081", "unix:", "unix:x"],
    "SESSION_REPORTER_TOKEN": ["two words", "caf\u00e9", "bell\x07", ","],
    "VIEWER_TOKENS": ["good,two words", " , "],
    "API_ADMIN_TOKEN": ["one,two", ","],
    "CREDIT_UNIT": ["x" * 17, "bell\x07"],
    "DATA_DIR": ["~no-such-user-here/data"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PAYMENTS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [pytest.param(name, *case, id=f"{name}={case[0]!a}") for name, cases in GOOD.items() for case in cases],
)
def test_value_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(f"PAYMENTS_{name}", text)
    settings = Settings.load(NO_ENV_FILE)
    field = next(each for each in Settings.__dataclass_fields__.values() if each.metadata["name"] == f"PAYMENTS_{name}")
    assert getattr(settings, field.name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [pytest.param(name, text, id=f"{name}={text!a}") for name, texts in BAD.items() for text in texts],
)
def test_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"PAYMENTS_{name}", text)
    with pytest.raises(Misconfigured, match=rf"\APAY-C01 PAYMENTS_{name}: .+\Z"):
        Settings.load(NO_ENV_FILE)
