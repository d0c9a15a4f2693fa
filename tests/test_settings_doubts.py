"""What is allowed and yet hardly meant is warned of."""

import os
from pathlib import Path

import pytest

from payments.errors import Misconfigured
from payments.settings import Settings

METER = {"POWER_METER_ENABLED": "true"}
POWER, SESSION = {"POWER_CREDIT_ETH_PER_MINUTE": "0.1"}, {"SESSION_CREDIT_ETH_PER_MINUTE": "0.1"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PAYMENTS_"):
            monkeypatch.delenv(name)


def doubts(folder: Path, settings: dict[str, str]) -> list[str]:
    """The settings that each doubt is about."""
    (folder / ".env").write_text("".join(f"PAYMENTS_{name}={value}\n" for name, value in settings.items()))
    found = Settings.load(folder / ".env").doubts()
    assert all("\n" not in doubt for doubt in found)
    words = [[word.strip(",:;") for word in doubt.split() if word.startswith("PAYMENTS_")] for doubt in found]
    return [" ".join(each.removeprefix("PAYMENTS_") for each in names) for names in words]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="defaults"),
        pytest.param(SESSION, id="sessions-alone"),
        pytest.param(METER | POWER, id="power-alone"),
        pytest.param(METER | SESSION | {"SESSION_REQUIRE_AWAKE": "true"}, id="sessions-while-awake"),
        pytest.param(METER | POWER | {"POWER_POLL_SECONDS": "60", "POWER_MAX_GAP_SECONDS": "60"}, id="gap-as-poll"),
        pytest.param({"POWER_POLL_SECONDS": "600"}, id="no-meter-that-polls"),
        pytest.param({"BIND": "0.0.0.0:8081"}, id="open-without-a-proxy"),
        pytest.param({"BIND": "127.0.0.1:8081", "BEHIND_PROXY": "true"}, id="proxy-at-loopback"),
        pytest.param({"BIND": "unix:/run/api.sock", "BEHIND_PROXY": "true"}, id="proxy-at-a-unix-socket"),
    ],
)
def test_usual_settings_are_not_doubted(tmp_path: Path, settings: dict[str, str]) -> None:
    assert doubts(tmp_path, settings) == []


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        pytest.param(
            METER | POWER | SESSION,
            "SESSION_CREDIT_ETH_PER_MINUTE POWER_CREDIT_ETH_PER_MINUTE",
            id="both-rates",
        ),
        pytest.param(
            METER | {"POWER_MAX_GAP_SECONDS": "59"}, "POWER_MAX_GAP_SECONDS POWER_POLL_SECONDS", id="gap-below-poll"
        ),
        pytest.param(POWER, "POWER_CREDIT_ETH_PER_MINUTE POWER_METER_ENABLED", id="rate-without-a-meter"),
        pytest.param(
            SESSION | {"SESSION_REQUIRE_AWAKE": "true"},
            "SESSION_REQUIRE_AWAKE POWER_METER_ENABLED",
            id="awake-without-a-meter",
        ),
        pytest.param({"BIND": "0.0.0.0:8081", "BEHIND_PROXY": "true"}, "BEHIND_PROXY BIND", id="proxy-and-open"),
    ],
)
def test_what_is_hardly_meant_is_doubted(tmp_path: Path, settings: dict[str, str], about: str) -> None:
    assert doubts(tmp_path, settings) == [about]


def test_every_doubt_is_told(tmp_path: Path) -> None:
    settings = POWER | SESSION | {"SESSION_REQUIRE_AWAKE": "true"}
    assert len(doubts(tmp_path, settings)) == 2
    assert len(doubts(tmp_path, settings | METER | {"POWER_MAX_GAP_SECONDS": "1"})) == 2


@pytest.mark.parametrize("text", ["PAYMENTS_POWER_PORT=1\nOTHER=x\n", "PAYMENTS_POWER_PORT=x\n", "no line\n"])
def test_env_file_leaves_the_environment_as_it_was(tmp_path: Path, text: str) -> None:
    """Whether it is sound, bad in a value, or no such file at all: programs that are started later inherit it."""
    (tmp_path / ".env").write_text(text)
    before = dict(os.environ)
    try:
        Settings.load(tmp_path / ".env")
    except Misconfigured:
        assert text != "PAYMENTS_POWER_PORT=1\nOTHER=x\n"
    assert dict(os.environ) == before
