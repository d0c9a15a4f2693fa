"""Environment and ``.env`` -> one frozen ``Settings``, parsed once, all problems reported together.

The fields below are the only list of settings: ``.env.example`` and the README are checked against it. May import
``payments.errors``, ``payments.domain`` and ``payments.envfile``. Not here: what a setting does.
"""

import os
import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from environs import Env, EnvError, EnvValidationError

from payments.domain.money import format_eth, parse_rate
from payments.envfile import ENV_FILE_NAME, env_file, name_doubts
from payments.errors import Misconfigured

_DAY_S = 86_400
_MOST = 10**12


class _Kind(NamedTuple):
    """A kind of value: ``parse`` reads one from text or raises ``EnvError``; ``takes`` says in words what it reads.

    ``spell`` gives what ``parse`` reads back as the same value; a token has no spelling.
    """

    parse: Callable[[str], Any]
    takes: str
    spell: Callable[[Any], str] | None = str


def _quoted(text: str) -> str:
    """``text`` in quotes and on one line."""
    return f'"{text if text.isprintable() else text.encode("unicode_escape").decode()}"'


def _whole(unit: str = "", least: int = 0, most: int = _MOST) -> _Kind:
    """Whole numbers from ``least`` to ``most``, counting ``unit``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise EnvError(f"{_quoted(text)} is not a whole number{f' of {unit}' if unit else ''}")
        if not least <= int(text) <= most:
            raise EnvError(f"{_quoted(text)} is not between {least} and {most}")
        return int(text)

    bounds = f"{least} or more" if most == _MOST else f"{least} to {most}"
    return _Kind(parse, f"{bounds} {unit}".rstrip())


def _read_rate(text: str) -> int:
    try:
        return parse_rate(text)
    except ValueError as error:
        raise EnvError(f"{str(error).replace(chr(10), ' ')}, per minute") from None


def _read_flag(text: str) -> bool:
    word = text.lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise EnvError(f"{_quoted(text)} is neither true nor false")


def _read_path(text: str) -> Path | None:
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError:
        raise EnvError(f"{_quoted(text)} begins with the home of a user that is not there") from None


def _read_tokens(text: str) -> tuple[str, ...]:
    tokens = tuple(token.strip() for token in text.split(",") if token.strip())
    if any(not (token.isascii() and token.isprintable() and " " not in token) for token in tokens):
        raise EnvError("a token may hold printable ASCII without spaces only, or no HTTP header could carry it")
    if text and not tokens:
        raise EnvError("commas and no token: that would leave the calls open")
    return tokens


def _read_token(text: str) -> str | None:
    tokens = _read_tokens(text)
    if len(tokens) > 1:
        raise EnvError("one token, without a comma")
    return tokens[0] if tokens else None


def _read_label(text: str) -> str:
    if len(text) > 16 or not text.isprintable():
        raise EnvError(f"{_quoted(text)} is not a label of at most 16 printable characters")
    return text


def _read_bind(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text.startswith("unix:/") or (host and re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        return text
    raise EnvError(f"{_quoted(text)} is neither HOST:PORT, such as 127.0.0.1:8081, nor unix:/path")


_rate = _Kind(_read_rate, "ETH, up to 18 decimals", format_eth)
_flag = _Kind(_read_flag, "true or false", lambda is_on: str(is_on).lower())
_path = _Kind(_read_path, "a path", lambda path: "" if path is None else str(path))
_tokens = _Kind(_read_tokens, "tokens, comma-separated", None)
_token = _Kind(_read_token, "one token", None)
_label = _Kind(_read_label, "at most 16 characters")
_bind = _Kind(_read_bind, "HOST:PORT or unix:/path")


def _setting(name: str, kind: _Kind, default: str, meaning: str) -> Any:
    """A field read from ``PAYMENTS_<name>``; from ``default`` where that is not set, or set to nothing."""
    details = {"name": f"PAYMENTS_{name}", "default": default, "meaning": meaning, **kind._asdict()}
    return field(metadata=details, repr=kind.spell is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decided. Rates are wei per minute, durations seconds; ``None`` or empty: not set."""

    data_dir: Path = _setting("DATA_DIR", _path, "/app/data", "where the files live, unless set one by one below")
    sessions_path: Path = _setting("SESSIONS_PATH", _path, "<data>/sessions.json", "session records")
    ledger_journal_path: Path = _setting(
        "LEDGER_JOURNAL_PATH", _path, "<data>/audit/ledger-events.log", "the journal, the only source of truth"
    )
    balances_path: Path = _setting("BALANCES_PATH", _path, "<data>/balances.json", "balances")
    power_meter_path: Path = _setting("POWER_METER_PATH", _path, "<data>/power_meter.json", "power states")
    registry_path: Path = _setting(
        "REGISTRY_PATH", _path, "<data>/registry.json", "orchestrator records; may be edited by hand"
    )
    bootstrap_orchestrators_path: Path | None = _setting(
        "BOOTSTRAP_ORCHESTRATORS_PATH", _path, "", "JSON file of orchestrator records to register at start"
    )
    bind: str = _setting("BIND", _bind, "127.0.0.1:8081", "where gunicorn listens")
    behind_proxy: bool = _setting(
        "BEHIND_PROXY", _flag, "false",
        "believe the last X-Forwarded-For and -Proto: only where nobody but the proxy can connect",
    )  # fmt: skip
    session_rate_wei_per_minute: int = _setting(
        "SESSION_CREDIT_ETH_PER_MINUTE", _rate, "0",
        "what a minute of session time earns; 0 records sessions and credits nothing",
    )  # fmt: skip
    session_reporter_tokens: tuple[str, ...] = _setting(
        "SESSION_REPORTER_TOKEN", _tokens, "", "edges must send it when set; a list allows rotation"
    )
    api_admin_token: str | None = _setting(
        "API_ADMIN_TOKEN", _token, "", "opens every viewer and admin call; admin calls are closed until it is set"
    )
    viewer_tokens: tuple[str, ...] = _setting(
        "VIEWER_TOKENS",
        _tokens,
        "",
        "each opens every viewer call; these are open to anyone while neither these nor an admin token are set",
    )
    credit_unit: str = _setting("CREDIT_UNIT", _label, "eth", "label on entries")
    session_max_gap_s: int = _setting(
        "SESSION_MAX_GAP_SECONDS",
        _whole("seconds"),
        "0",
        "silence longer than this within a session is not credited; 0: off",
    )
    session_idle_timeout_s: int = _setting(
        "SESSION_IDLE_TIMEOUT_SECONDS", _whole("seconds", 1), "120", "a session silent for longer shows as stale"
    )
    session_reap_s: int = _setting(
        "SESSION_REAP_SECONDS", _whole("seconds"), "3600", "the worker closes sessions silent for longer; 0: off"
    )
    session_retention_hours: int = _setting(
        "SESSION_RETENTION_HOURS", _whole("hours", 1), "168",
        "ended sessions stay in sessions.json this long after their last event, and at least as long as "
        "PAYMENTS_SESSION_MAX_EVENT_AGE_SECONDS; the journal keeps everything",
    )  # fmt: skip
    session_max_event_age_s: int = _setting(
        "SESSION_MAX_EVENT_AGE_SECONDS", _whole("seconds"), "86400", "how far back an occurred_at is still credited"
    )
    session_require_awake: bool = _setting(
        "SESSION_REQUIRE_AWAKE", _flag, "false",
        "credit session time only while the orchestrator's last reading is awake and fresh",
    )  # fmt: skip
    power_meter_enabled: bool = _setting("POWER_METER_ENABLED", _flag, "false", "run the power meter")
    power_rate_wei_per_minute: int = _setting(
        "POWER_CREDIT_ETH_PER_MINUTE", _rate, "0", "what a minute of powered-on time earns"
    )
    power_poll_s: int = _setting("POWER_POLL_SECONDS", _whole("seconds", 1, _DAY_S), "60", "sweep cadence")
    power_max_gap_s: int = _setting(
        "POWER_MAX_GAP_SECONDS", _whole("seconds", 1, 366 * _DAY_S), "180", "longer between two readings: no credit"
    )
    power_port: int = _setting("POWER_PORT", _whole("", 1, 65535), "9090", "port that /power is asked on")
    power_timeout_s: int = _setting("POWER_TIMEOUT_SECONDS", _whole("seconds", 1, 60), "3", "how long /power may take")
    power_concurrency: int = _setting(
        "POWER_CONCURRENCY", _whole("hosts", 1, 4096), "64", "hosts asked at the same time"
    )
    journal_segment_bytes: int = _setting(
        "JOURNAL_SEGMENT_BYTES",
        _whole("bytes", 4096),
        "268435456",
        "the journal is sealed and continued past this size",
    )

    @classmethod
    def load(cls, given: Path | None = None) -> "Settings":
        """The settings of the process's environment, and where that is silent of ``given``, or else of ``.env``.

        Raises ``Misconfigured`` with one line per bad value; a token is never quoted.
        """
        return cls.load_pinned(given)[0]

    @classmethod
    def load_pinned(cls, given: Path | None = None) -> tuple["Settings", dict[str, str]]:
        """As ``load``; and an environment in which ``load`` finds the same, whatever becomes of the file."""
        env = Env(eager=False)
        env.add_parser("setting", lambda text, parse: parse(text))
        environment = os.environ.copy()
        try:
            if (file := env_file(given)) is not None:
                env.read_env(str(file), recurse=False)
            values = {each.name: _read(env, each) for each in fields(cls)}
            pinned = {name: env.str(name, "") for name in (each.metadata["name"] for each in fields(cls))}
        finally:
            # What a file said would, as a part of the environment, go before what it says the next time.
            os.environ.clear()
            os.environ.update(environment)
        try:
            env.seal()
        except EnvValidationError as error:
            problems: dict[str, list[str]] = dict(error.error_messages)  # type: ignore[arg-type]
            raise Misconfigured(
                "\n".join(f"{name}: {' '.join(messages)}" for name, messages in sorted(problems.items()))
            ) from None
        return cls(**_with_paths(values)), {**pinned, ENV_FILE_NAME: os.devnull}

    @classmethod
    def name_doubts(cls, given: Path | None = None) -> list[str]:
        """As ``doubts``, of the names in the environment and in the file that ``load`` reads."""
        return name_doubts(given, [each.metadata["name"] for each in fields(cls)])

    def spelled(self) -> dict[str, str | None]:
        """Each value by its setting's name, as the setting takes it; ``None``: a token, or several."""
        return {
            each.metadata["name"]: None
            if (spell := each.metadata["spell"]) is None
            else spell(getattr(self, each.name))
            for each in fields(self)
        }

    def doubts(self) -> list[str]:
        """What is allowed and yet hardly meant, a sentence each, for a start to warn of."""
        doubts = []
        if self.power_meter_enabled and self.power_rate_wei_per_minute and self.session_rate_wei_per_minute:
            doubts.append(
                "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE and PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE are both set: "
                "a session on a host that is awake is paid for twice; set one of them to 0 unless that is meant"
            )
        if self.power_meter_enabled and self.power_max_gap_s < self.power_poll_s:
            doubts.append(
                "PAYMENTS_POWER_MAX_GAP_SECONDS is below PAYMENTS_POWER_POLL_SECONDS: "
                "any two readings are too far apart to credit anything"
            )
        if self.power_rate_wei_per_minute and not self.power_meter_enabled:
            doubts.append(
                "PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE is set, but PAYMENTS_POWER_METER_ENABLED is not: "
                "no power is metered"
            )
        if self.session_require_awake and not self.power_meter_enabled:
            doubts.append(
                "PAYMENTS_SESSION_REQUIRE_AWAKE is set, but PAYMENTS_POWER_METER_ENABLED is not: "
                "without readings no session time is credited"
            )
        if self.behind_proxy and not self.bind.startswith(("unix:", "127.0.0.1:", "localhost:", "[::1]:")):
            doubts.append(
                "PAYMENTS_BEHIND_PROXY is set, but PAYMENTS_BIND is open to other machines: "
                "whoever connects to it may claim any address; let it be a unix socket"
            )
        return doubts


def _read(env: Env, setting: Field[Any]) -> Any:
    name, parse, default = (setting.metadata[key] for key in ("name", "parse", "default"))
    return env.setting(name, default, parse=lambda text: parse(text.strip() or default))


def _with_paths(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` with the data folder put where a default path says ``<data>``."""
    data = Path("<data>")
    return {
        name: values["data_dir"] / value.relative_to(data)
        if isinstance(value, Path) and data in value.parents
        else value
        for name, value in values.items()
    }
