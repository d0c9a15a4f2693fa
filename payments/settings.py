"""Environment and ``.env`` -> one frozen ``Settings``, parsed once, all problems reported together.

The fields below are the only list of settings: ``SETTINGS.rst`` is generated from it, ``.env.example`` checked against
it. Not here: what a setting does.
"""

import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from payments.configuration import FLAG, PATH, TOKEN, TOKENS, Configuration, SettingKind, integer, setting
from payments.domain.money import format_eth, parse_rate
from payments.endpoints import read_endpoint
from payments.errors import Misconfigured, quoted

_DAY_S = 86_400
# This program replaces or writes each of these files.
_WRITTEN = ("ledger_journal_path", "registry_path", "sessions_path", "balances_path", "power_meter_path")


def _read_rate(text: str) -> int:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise ValueError(f"{str(error).replace(chr(10), ' ')}, per minute") from None


def _read_label(text: str) -> str:
    if len(text) > 16 or not text.isprintable():
        raise ValueError(f"{quoted(text)} is not a label of at most 16 printable characters")
    return text


def _read_bind(text: str) -> str:
    if text.startswith("unix:/"):
        return text
    try:
        return str(read_endpoint(text))
    except ValueError:
        raise ValueError(f"{quoted(text)} is neither HOST:PORT, such as 127.0.0.1:8081, nor unix:/path") from None


_RATE = SettingKind(_read_rate, "ETH, up to 18 decimals", format_eth)
_LABEL = SettingKind(_read_label, "at most 16 characters")
_BIND = SettingKind(_read_bind, "HOST:PORT or unix:/path")


def _setting(name: str, kind: SettingKind, default: str, meaning: str) -> Any:
    return setting(f"PAYMENTS_{name}", kind, default, meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Configuration):
    """The settings of the API and the worker. Rates are wei per minute, durations seconds; ``None`` or empty: unset."""

    data_dir: Path = _setting("DATA_DIR", PATH, "/app/data", "where the files live, unless set one by one below")
    sessions_path: Path = _setting("SESSIONS_PATH", PATH, "<data>/sessions.json", "session records")
    ledger_journal_path: Path = _setting(
        "LEDGER_JOURNAL_PATH", PATH, "<data>/audit/ledger-events.log", "the journal, the only source of truth"
    )
    balances_path: Path = _setting("BALANCES_PATH", PATH, "<data>/balances.json", "balances")
    power_meter_path: Path = _setting("POWER_METER_PATH", PATH, "<data>/power_meter.json", "power states")
    registry_path: Path = _setting(
        "REGISTRY_PATH", PATH, "<data>/registry.json", "orchestrator records; may be edited by hand"
    )
    bootstrap_orchestrators_path: Path | None = _setting(
        "BOOTSTRAP_ORCHESTRATORS_PATH", PATH, "", "JSON file of orchestrator records to register at start"
    )
    bind: str = _setting("BIND", _BIND, "127.0.0.1:8081", "where gunicorn listens")
    behind_proxy: bool = _setting(
        "BEHIND_PROXY", FLAG, "false",
        "believe the last X-Forwarded-For and -Proto: only where nobody but the proxy can connect",
    )  # fmt: skip
    session_rate_wei_per_minute: int = _setting(
        "SESSION_CREDIT_ETH_PER_MINUTE", _RATE, "0",
        "what a minute of session time earns; 0 records sessions and credits nothing",
    )  # fmt: skip
    session_reporter_tokens: tuple[str, ...] = _setting(
        "SESSION_REPORTER_TOKEN", TOKENS, "", "edges must send it when set; a list allows rotation"
    )
    api_admin_token: str | None = _setting(
        "API_ADMIN_TOKEN", TOKEN, "", "opens every viewer and admin call; admin calls are closed until it is set"
    )
    viewer_tokens: tuple[str, ...] = _setting(
        "VIEWER_TOKENS",
        TOKENS,
        "",
        "each opens every viewer call; these are open to anyone while neither these nor an admin token are set",
    )
    credit_unit: str = _setting("CREDIT_UNIT", _LABEL, "eth", "label on entries")
    session_max_gap_s: int = _setting(
        "SESSION_MAX_GAP_SECONDS",
        integer("seconds"),
        "0",
        "silence longer than this within a session is not credited; 0: off",
    )
    session_idle_timeout_s: int = _setting(
        "SESSION_IDLE_TIMEOUT_SECONDS", integer("seconds", 1), "120", "a session silent for longer shows as stale"
    )
    session_reap_s: int = _setting(
        "SESSION_REAP_SECONDS", integer("seconds"), "3600", "the worker closes sessions silent for longer; 0: off"
    )
    session_retention_hours: int = _setting(
        "SESSION_RETENTION_HOURS", integer("hours", 1), "168",
        "ended sessions stay in sessions.json this long after their last event, and at least as long as "
        "PAYMENTS_SESSION_MAX_EVENT_AGE_SECONDS; the journal keeps everything",
    )  # fmt: skip
    session_max_event_age_s: int = _setting(
        "SESSION_MAX_EVENT_AGE_SECONDS", integer("seconds"), "86400", "how far back an occurred_at is still credited"
    )
    session_require_awake: bool = _setting(
        "SESSION_REQUIRE_AWAKE", FLAG, "false",
        "credit session time only while the orchestrator's last reading is awake and fresh",
    )  # fmt: skip
    power_meter_enabled: bool = _setting("POWER_METER_ENABLED", FLAG, "false", "run the power meter")
    power_rate_wei_per_minute: int = _setting(
        "POWER_CREDIT_ETH_PER_MINUTE", _RATE, "0", "what a minute of powered-on time earns"
    )
    power_poll_s: int = _setting("POWER_POLL_SECONDS", integer("seconds", 1, _DAY_S), "60", "time between two sweeps")
    power_max_gap_s: int = _setting(
        "POWER_MAX_GAP_SECONDS",
        integer("seconds", 1, 366 * _DAY_S),
        "180",
        "time between two readings beyond which nothing is credited",
    )
    power_port: int = _setting("POWER_PORT", integer("", 1, 65535), "9090", "port that /power is asked on")
    power_timeout_s: int = _setting("POWER_TIMEOUT_SECONDS", integer("seconds", 1, 60), "3", "how long /power may take")
    power_concurrency: int = _setting(
        "POWER_CONCURRENCY", integer("hosts", 1, 4096), "64", "hosts asked at the same time"
    )
    journal_segment_bytes: int = _setting(
        "JOURNAL_SEGMENT_BYTES",
        integer("bytes", 4096),
        "268435456",
        "the journal is sealed and continued past this size",
    )

    @property
    def session_keep_s(self) -> int:
        """How many seconds an ended session is kept after its last event."""
        return max(self.session_retention_hours * 3600, self.session_max_event_age_s)

    def __post_init__(self) -> None:
        """Replace ``<data>`` in default paths by the data folder.

        Raises ``Misconfigured`` where two files are one: the projections would overwrite the journal.
        """
        problems, taken = [], dict[str, str]()
        for field in _WRITTEN:
            name, path = self.__dataclass_fields__[field].metadata["name"], getattr(self, field)
            if path.parts[:1] == ("<data>",):
                path = self.data_dir.joinpath(*path.parts[1:])
                object.__setattr__(self, field, path)
            other = taken.setdefault(os.path.realpath(path), name)
            if other != name:
                problems.append(f"{name}: {path} is the file of {other} too, and each would be written over the other")
        if problems:
            raise Misconfigured("\n".join(f"PAY-C01 {problem}" for problem in problems))

    def warnings(self) -> list[str]:
        """One message for each combination that is valid but probably a mistake, logged at a start (rule 2.2)."""
        warnings = []
        if self.power_meter_enabled and self.power_rate_wei_per_minute and self.session_rate_wei_per_minute:
            warnings.append(
                "PAY-C08 PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE and PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE are both set: "
                "a session on a host that is awake is paid for twice; set one of them to 0 unless that is meant"
            )
        if self.power_meter_enabled and self.power_max_gap_s < self.power_poll_s:
            warnings.append(
                "PAY-C09 PAYMENTS_POWER_MAX_GAP_SECONDS is below PAYMENTS_POWER_POLL_SECONDS: "
                "any two readings are too far apart to credit anything"
            )
        if self.power_rate_wei_per_minute and not self.power_meter_enabled:
            warnings.append(
                "PAY-C10 PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE is set, but PAYMENTS_POWER_METER_ENABLED is not: "
                "no power is metered"
            )
        if self.session_require_awake and not self.power_meter_enabled:
            warnings.append(
                "PAY-C11 PAYMENTS_SESSION_REQUIRE_AWAKE is set, but PAYMENTS_POWER_METER_ENABLED is not: "
                "without readings no session time is credited"
            )
        if self.behind_proxy and self._is_open:
            warnings.append(
                "PAY-C12 PAYMENTS_BEHIND_PROXY is set, but PAYMENTS_BIND is open to other machines: "
                "whoever connects to it may claim any address; let it be a unix socket"
            )
        if self.session_rate_wei_per_minute and self._is_open and not self.session_reporter_tokens:
            warnings.append(
                "PAY-C13 PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE is set, and PAYMENTS_BIND is open to other "
                "machines, but PAYMENTS_SESSION_REPORTER_TOKEN is not set: whoever connects can report sessions "
                "that earn; set it"
            )
        return warnings

    @property
    def _is_open(self) -> bool:
        """Whether other machines can reach the API."""
        host = self.bind.rpartition(":")[0].strip("[]")
        if self.bind.startswith("unix:") or host == "localhost":
            return False
        try:
            return not ip_address(host).is_loopback
        except ValueError:
            return True
