"""Warnings about settings that are allowed but probably a mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from payments.settings import Settings
from tests.harness import ROOT

METER = {"POWER_METER_ENABLED": "true"}
POWER, SESSION = {"POWER_CREDIT_ETH_PER_MINUTE": "0.1"}, {"SESSION_CREDIT_ETH_PER_MINUTE": "0.1"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PAYMENTS_"):
            monkeypatch.delenv(name)


def warnings(folder: Path, settings: dict[str, str]) -> list[str]:
    """Settings by the warning that they cause."""
    (folder / ".env").write_text("".join(f"PAYMENTS_{name}={value}\n" for name, value in settings.items()))
    found = Settings.load(folder / ".env").warnings()
    assert all("\n" not in warning for warning in found)
    words = [[word.strip(",:;") for word in warning.split() if word.startswith("PAYMENTS_")] for warning in found]
    return [" ".join(each.removeprefix("PAYMENTS_") for each in names) for names in words]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="defaults"),
        pytest.param(SESSION, id="sessions-alone"),
        pytest.param(SESSION | {"BIND": "[::1]:8081"}, id="anyone-here"),
        pytest.param(SESSION | {"BIND": "unix:/run/api.sock"}, id="anyone-at-a-unix-socket"),
        pytest.param(SESSION | {"BIND": "0.0.0.0:8081", "SESSION_REPORTER_TOKEN": "t"}, id="open-with-a-token"),
        pytest.param(METER | POWER, id="power-alone"),
        pytest.param(METER | SESSION | {"SESSION_REQUIRE_AWAKE": "true"}, id="sessions-while-awake"),
        pytest.param(METER | POWER | {"POWER_POLL_SECONDS": "60", "POWER_MAX_GAP_SECONDS": "60"}, id="gap-as-poll"),
        pytest.param({"POWER_POLL_SECONDS": "600"}, id="no-meter-that-polls"),
        pytest.param({"BIND": "0.0.0.0:8081"}, id="open-without-a-proxy"),
        pytest.param({"BIND": "127.0.0.1:8081", "BEHIND_PROXY": "true"}, id="proxy-at-loopback"),
        pytest.param({"BIND": "127.1.2.3:8081", "BEHIND_PROXY": "true"}, id="proxy-at-another-loopback"),
        pytest.param({"BIND": "unix:/run/api.sock", "BEHIND_PROXY": "true"}, id="proxy-at-a-unix-socket"),
    ],
)
def test_usual_settings_are_not_doubted(tmp_path: Path, settings: dict[str, str]) -> None:
    assert warnings(tmp_path, settings) == []


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
        *(
            pytest.param(
                SESSION | {"BIND": bind},
                "SESSION_CREDIT_ETH_PER_MINUTE BIND SESSION_REPORTER_TOKEN",
                id=f"anyone-{bind}",
            )
            for bind in ("0.0.0.0:8081", "[::]:8081", "192.0.2.1:8081", "payments.example.org:8081")
        ),
    ],
)
def test_what_is_hardly_meant_is_doubted(tmp_path: Path, settings: dict[str, str], about: str) -> None:
    assert warnings(tmp_path, settings) == [about]


def test_every_doubt_is_told(tmp_path: Path) -> None:
    settings = POWER | SESSION | {"SESSION_REQUIRE_AWAKE": "true"}
    assert len(warnings(tmp_path, settings)) == 2
    assert len(warnings(tmp_path, settings | METER | {"POWER_MAX_GAP_SECONDS": "1"})) == 2


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PAYMENTS_SESSON_REAP_SECONDS", "PAYMENTS_SESSION_REAP_SECONDS"),
        ("PAYMENTS_VIEWER_TOKEN", "PAYMENTS_VIEWER_TOKENS"),
        ("PAYMENTS_QQ", None),
    ],
)
@pytest.mark.parametrize("is_in_file", [True, False])
def test_name_that_is_no_setting_is_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str | None, is_in_file: bool
) -> None:
    (tmp_path / ".env").write_text(f"{name}=s3cret\n" if is_in_file else "")
    if not is_in_file:
        monkeypatch.setenv(name, "s3cret")
    hint = f"; did you mean {meant}?" if meant else ""
    assert Settings.name_warnings(tmp_path / ".env") == [f"PAY-C14 {name}: unknown setting, ignored{hint}"]


def test_names_that_mean_something_are_not_doubted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_TEST_EXAMPLES", "1")
    text = "PAYMENTS_POWER_PORT=1\nPAYMENTS_API_URL=x\nPAYMENTS_API_TOKEN=x\nPAYMENTS_ENV_FILE=x\nOTHER=x\n"
    (tmp_path / ".env").write_text(f"\ufeff{text}")
    assert Settings.name_warnings(tmp_path / ".env") == []


def test_name_that_is_set_twice_is_doubted(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PAYMENTS_POWER_PORT=1\n# PAYMENTS_BIND=x\nexport PAYMENTS_POWER_PORT=2\nPAYMENTS_BIND=h:1\n")
    assert Settings.name_warnings(file) == [
        f"PAY-C15 PAYMENTS_POWER_PORT is set 2 times in {file}: the last one counts"
    ]
    assert Settings.load(file).power_port == 2


@pytest.mark.processes
def test_a_start_and_config_check_tell_of_names(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PAYMENTS_DATA_DIR=data\nPAYMENTS_SESSON_REAP_SECONDS=1\n")
    for command in (("payments.web.preflight",), ("payments.cli", "config", "check")):
        run = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "payments: warning: PAY-C14 PAYMENTS_SESSON_REAP_SECONDS: unknown setting" in run.stderr
        assert "SESSON" not in run.stdout
