"""Defaults, ``.env`` and ``.env.example``, tokens, and reporting of problems."""

import os
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

import pytest

from payments.errors import Misconfigured
from payments.settings import Settings
from tests.harness import ROOT, uncoded

Loader = Callable[..., Settings]

EXAMPLE = ROOT / ".env.example"

DEFAULTS: dict[str, object] = {
    "PAYMENTS_DATA_DIR": Path("/app/data"),
    "PAYMENTS_SESSIONS_PATH": Path("/app/data/sessions.json"),
    "PAYMENTS_LEDGER_JOURNAL_PATH": Path("/app/data/audit/ledger-events.log"),
    "PAYMENTS_BALANCES_PATH": Path("/app/data/balances.json"),
    "PAYMENTS_POWER_METER_PATH": Path("/app/data/power_meter.json"),
    "PAYMENTS_REGISTRY_PATH": Path("/app/data/registry.json"),
    "PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH": None,
    "PAYMENTS_BIND": "127.0.0.1:8081",
    "PAYMENTS_BEHIND_PROXY": False,
    "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": 0,
    "PAYMENTS_SESSION_REPORTER_TOKEN": (),
    "PAYMENTS_API_ADMIN_TOKEN": None,
    "PAYMENTS_VIEWER_TOKENS": (),
    "PAYMENTS_CREDIT_UNIT": "eth",
    "PAYMENTS_SESSION_MAX_GAP_SECONDS": 0,
    "PAYMENTS_SESSION_IDLE_TIMEOUT_SECONDS": 120,
    "PAYMENTS_SESSION_REAP_SECONDS": 3600,
    "PAYMENTS_SESSION_RETENTION_HOURS": 168,
    "PAYMENTS_SESSION_MAX_EVENT_AGE_SECONDS": 86400,
    "PAYMENTS_SESSION_REQUIRE_AWAKE": False,
    "PAYMENTS_POWER_METER_ENABLED": False,
    "PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE": 0,
    "PAYMENTS_POWER_POLL_SECONDS": 60,
    "PAYMENTS_POWER_MAX_GAP_SECONDS": 180,
    "PAYMENTS_POWER_PORT": 9090,
    "PAYMENTS_POWER_TIMEOUT_SECONDS": 3,
    "PAYMENTS_POWER_CONCURRENCY": 64,
    "PAYMENTS_JOURNAL_SEGMENT_BYTES": 268435456,
}
"""The documented defaults, and the bootstrap file."""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Load settings from ``PAYMENTS_<name>=value`` pairs in the environment and the text of an ``.env`` file."""
    for name in os.environ:
        if name.startswith("PAYMENTS_"):
            monkeypatch.delenv(name)

    def loaded(dotenv: str | bytes | None = None, **environment: str) -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(f"PAYMENTS_{name}", value)
        file = tmp_path / ".env"
        if dotenv is not None:
            file.write_bytes(dotenv.encode() if isinstance(dotenv, str) else dotenv)
        return Settings.load(file)

    return loaded


def problems(load: Loader, dotenv: str | bytes | None = None, **environment: str) -> list[str]:
    """Lines of the error for these settings."""
    with pytest.raises(Misconfigured) as caught:
        load(dotenv, **environment)
    return uncoded(caught.value).split("\n")


def by_name(settings: Settings) -> dict[str, object]:
    return {each.metadata["name"]: getattr(settings, each.name) for each in fields(settings)}


def test_every_default_is_the_documented_one(load: Loader) -> None:
    assert by_name(load()) == DEFAULTS


def test_names_set_to_nothing_have_their_defaults(load: Loader) -> None:
    nothing = {name.removeprefix("PAYMENTS_"): " " for name in DEFAULTS}
    assert by_name(load(**nothing)) == DEFAULTS


def test_files_follow_the_data_folder_unless_set_one_by_one(load: Loader) -> None:
    settings = load(DATA_DIR="/srv/payments", BALANCES_PATH="/elsewhere/b.json")
    paths = {name: value for name, value in by_name(settings).items() if isinstance(value, Path)}
    assert paths == {
        "PAYMENTS_DATA_DIR": Path("/srv/payments"),
        "PAYMENTS_SESSIONS_PATH": Path("/srv/payments/sessions.json"),
        "PAYMENTS_LEDGER_JOURNAL_PATH": Path("/srv/payments/audit/ledger-events.log"),
        "PAYMENTS_BALANCES_PATH": Path("/elsewhere/b.json"),
        "PAYMENTS_POWER_METER_PATH": Path("/srv/payments/power_meter.json"),
        "PAYMENTS_REGISTRY_PATH": Path("/srv/payments/registry.json"),
    }


@pytest.mark.parametrize("name", ["SESSIONS_PATH", "BALANCES_PATH", "POWER_METER_PATH", "REGISTRY_PATH"])
@pytest.mark.parametrize("spelled", ["audit/ledger-events.log", "audit/../audit/ledger-events.log", "link"])
def test_no_two_files_are_one(load: Loader, tmp_path: Path, name: str, spelled: str) -> None:
    """Otherwise writing balances would replace the journal."""
    (tmp_path / "link").symlink_to("audit/ledger-events.log")
    (said,) = problems(load, DATA_DIR=str(tmp_path), **{name: f"{tmp_path}/{spelled}"})
    assert said.startswith(f"PAYMENTS_{name}: {tmp_path}/{spelled}")
    assert "is the file of PAYMENTS_LEDGER_JOURNAL_PATH too" in said


def test_env_file_is_read_and_the_environment_wins(load: Loader) -> None:
    settings = load("PAYMENTS_POWER_PORT=1\nPAYMENTS_POWER_POLL_SECONDS=2 # two\n", POWER_PORT="3")
    assert (settings.power_port, settings.power_poll_s) == (3, 2)


@pytest.mark.parametrize(
    ("dotenv", "token"),
    [
        pytest.param("PAYMENTS_API_ADMIN_TOKEN=secret\n", "secret", id="plain"),
        pytest.param("export PAYMENTS_API_ADMIN_TOKEN='a#b'\r\n", "a#b", id="quoted"),
        pytest.param("\ufeffPAYMENTS_API_ADMIN_TOKEN=secret", "secret", id="byte-order-mark"),
    ],
)
def test_env_file_may_be_written_in_the_usual_ways(load: Loader, dotenv: str, token: str) -> None:
    assert load(dotenv).api_admin_token == token


def test_loading_again_sees_an_edited_env_file(load: Loader) -> None:
    """A reload (SIGHUP) must not use values that the first load left in the process's environment."""
    load("PAYMENTS_POWER_PORT=1\n")
    assert load("PAYMENTS_POWER_POLL_SECONDS=2\n").power_port == 9090


def test_loading_never_writes_to_the_environment(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread would miss variables removed for a moment: without NOTIFY_SOCKET, systemd gets no sign of life."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", MappingProxyType(dict(os.environ)))
        assert load("PAYMENTS_POWER_PORT=1\nOTHER=x\n").power_port == 1
        assert len(problems(load, "PAYMENTS_POWER_PORT=x\n")) == len(problems(load, "no line\n")) == 1


def test_env_file_may_name_what_is_set_elsewhere(load: Loader) -> None:
    """The environment overrides the file there too."""
    dotenv = "PAYMENTS_DATA_DIR=/one\nPAYMENTS_BALANCES_PATH=${PAYMENTS_DATA_DIR}/b.json\n"
    assert load(dotenv).balances_path == Path("/one/b.json")
    assert load(dotenv, DATA_DIR="/two").balances_path == Path("/two/b.json")


def test_pinned_environment_gives_the_same_whatever_becomes_of_the_file(
    tmp_path: Path, load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(
        "PAYMENTS_POWER_PORT=1\nPAYMENTS_CREDIT_UNIT='a \"b\" = c'\nPAYMENTS_DATA_DIR=here\n", POWER_POLL_SECONDS="7"
    )
    settings, environment = Settings.load_pinned(tmp_path / ".env")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PAYMENTS_POWER_PORT\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings == first


def test_env_file_that_is_named_is_read_in_place_of_the_usual_one(
    tmp_path: Path, load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("PAYMENTS_POWER_PORT=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAYMENTS_ENV_FILE", str(tmp_path / "named"))
    with pytest.raises(Misconfigured, match="named: cannot be read"):
        Settings.load()
    (tmp_path / "named").write_text("PAYMENTS_POWER_PORT=2\n")
    assert Settings.load().power_port == 2


@pytest.mark.parametrize(
    "dotenv",
    [
        pytest.param(b"PAYMENTS_CREDIT_UNIT=\xff\n", id="not-utf-8"),
        pytest.param('PAYMENTS_API_ADMIN_TOKEN="secret\n', id="quote-without-end"),
        pytest.param("PAYMENTS_API_ADMIN_TOKEN secret\n", id="no-equals-sign"),
        pytest.param("PAYMENTS_API_ADMIN_TOKEN\n", id="bare-name"),
        pytest.param("export PAYMENTS_API_ADMIN_TOKEN\n", id="bare-name-exported"),
        pytest.param("PAYMENTS_DATA_DIR=secret\0\n", id="nul"),
    ],
)
def test_env_file_that_cannot_be_read_stops_the_start(load: Loader, dotenv: str | bytes) -> None:
    """A token that is silently ignored leaves the API open."""
    complaint = "\n".join(problems(load, dotenv))
    assert ".env" in complaint
    assert "secret" not in complaint


def test_line_of_the_env_file_that_is_bad_is_named_behind_empty_ones_too(load: Loader) -> None:
    complaints = problems(load, "A=1\n\n\nB\n# C\n\n=x\n")
    assert [each.split(", ")[1] for each in complaints] == [f"line {n}: not of the form NAME=value" for n in (4, 7)]


@pytest.mark.parametrize("before", [0, 1, 5000])
def test_line_of_the_env_file_that_is_not_utf_8_is_named(load: Loader, before: int) -> None:
    dotenv = "# café\nA=1\n".encode() * before + b"PAYMENTS_CREDIT_UNIT=\xa9\n"
    assert [each.split(", ")[1] for each in problems(load, dotenv)] == [f"line {2 * before + 1}: not UTF-8"]


def test_every_bad_value_is_named_at_once_one_line_each(load: Loader) -> None:
    complaints = problems(
        load, "PAYMENTS_POWER_PORT=0\n", POWER_POLL_SECONDS="abc", BIND="nowhere", POWER_METER_ENABLED="maybe",
        SESSION_CREDIT_ETH_PER_MINUTE="1e-3", CREDIT_UNIT="a very long label", API_ADMIN_TOKEN="a,b",
    )  # fmt: skip
    assert complaints == [
        "PAYMENTS_API_ADMIN_TOKEN: one token, without a comma",
        'PAYMENTS_BIND: "nowhere" is neither HOST:PORT, such as 127.0.0.1:8081, nor unix:/path',
        'PAYMENTS_CREDIT_UNIT: "a very long label" is not a label of at most 16 printable characters',
        'PAYMENTS_POWER_METER_ENABLED: "maybe" is neither true nor false',
        'PAYMENTS_POWER_POLL_SECONDS: "abc" is not a whole number of seconds',
        'PAYMENTS_POWER_PORT: "0" is not between 1 and 65535',
        'PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE: "1e-3" is not an amount of ETH such as 0.25, '
        "with at most 18 decimals, per minute",
    ]


def test_bad_value_of_several_lines_is_reported_in_one(load: Loader) -> None:
    assert len(problems(load, POWER_PORT="90\n90")) == 1


@pytest.mark.parametrize("name", ["SESSION_REPORTER_TOKEN", "API_ADMIN_TOKEN", "VIEWER_TOKENS"])
def test_tokens_are_neither_in_the_repr_nor_in_complaints(load: Loader, name: str) -> None:
    assert "s3cret" not in repr(load(**{name: "s3cret"}))
    for bad in ("s3cret one", "s3cret\u00e9", "s3cret\x07"):
        complaints = problems(load, POWER_PORT="s", **{name: bad})
        assert len(complaints) == 2
        assert "s3cret" not in "".join(complaints)


def test_env_example_names_exactly_the_settings_in_their_order() -> None:
    names = [line.lstrip("#").partition("=")[0] for line in EXAMPLE.read_text().splitlines() if "PAYMENTS_" in line]
    assert names == [each.metadata["name"] for each in fields(Settings)]


def test_env_example_gives_the_defaults_and_a_line_on_each(load: Loader) -> None:
    text = EXAMPLE.read_text()
    assert re.findall(r"(?<!\.)\n#?PAYMENTS_", text) == []
    assert by_name(load(re.sub(r"^#(?=PAYMENTS_)", "", text, flags=re.MULTILINE))) == DEFAULTS
