"""Reads the files of a livepeer-ops backend; others decide what is taken over.

Below its data folder, ``registry.json``, ``balances.json``, ``sessions.json``, ``power_meter.json`` and
``payouts.json`` are objects with one item per orchestrator or session, replaced as a whole;
``audit/ledger-events.log`` is its journal.
Amounts are decimals in ETH, times RFC 3339 with microseconds.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError

from payments.domain.addresses import canonical_ip
from payments.fields import Canonical, Integer, Strict, Text
from payments.importing.amounts import moment_after, read_amount
from payments.importing.journal import Sums, add_up
from payments.importing.report import ImportRefused
from payments.settings import Settings
from payments.store import engine_of
from payments.strictjson import read_exactly

REGISTRY, BALANCES, SESSIONS, POWER, PAYOUTS = (
    "registry.json", "balances.json", "sessions.json", "power_meter.json", "payouts.json",
)  # fmt: skip
JOURNAL = "audit/ledger-events.log"
TEE_STATE = "tee_core_state.b64"

_FILES = (REGISTRY, BALANCES, SESSIONS, POWER, PAYOUTS, JOURNAL)

T = TypeVar("T")


class OpenSession(NamedTuple):
    """A session that was still active there.

    Attributes:
        billed_until_ms: up to here its time is settled there: billed, or found to earn nothing.
        seen_at_ms: when its last event came.
    """

    session_id: str
    orchestrator_id: str | None
    upstream_addr: str
    upstream_port: int | None
    edge_id: str | None
    streamer_id: str | None
    billed_until_ms: int
    seen_at_ms: int


class LastReading(NamedTuple):
    """The last power reading of an orchestrator there. Time before it was already settled there."""

    state: str
    read_at_ms: int


class LivepeerOps(NamedTuple):
    """The contents of the folder.

    Attributes:
        records: registry records as written, by id.
        balances: in ETH, by orchestrator id.
        open_sessions: by session id.
        ended: how many sessions have ended.
        power: the last readings, by orchestrator id.
        sums: of the journal; ``None`` if there is none.
        missing: files that are not there.
        has_tee_state: whether an enclave kept balances too.
        problems: what cannot be read, each with its file and line or record.
    """

    folder: Path
    records: Mapping[str, Mapping[str, Any]]
    balances: Mapping[str, Decimal]
    open_sessions: Mapping[str, OpenSession]
    ended: int
    power: Mapping[str, LastReading]
    sums: Sums | None
    missing: list[str]
    has_tee_state: bool
    problems: list[str]


class _Moment(Strict[int]):
    def read(self, value: Any) -> int:
        try:
            return moment_after(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class _SessionSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    session_id = Text(1, 128, required=True)
    orchestrator_id = Text(1, 128, load_default=None, allow_none=True)
    upstream_addr = Canonical(canonical_ip, required=True)
    upstream_port = Integer(1, 65535, load_default=None, allow_none=True)
    edge_id = Text(0, 64, load_default=None, allow_none=True)
    streamer_id = Text(0, 128, load_default=None, allow_none=True)
    last_billed_at = _Moment(required=True, attribute="billed_until_ms")
    last_seen_at = _Moment(required=True, attribute="seen_at_ms")


class _ReadingSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    state = Text(1, 128, required=True)
    last_billed_at = _Moment(required=True, attribute="read_at_ms")


def read_folder(folder: Path, settings: Settings) -> LivepeerOps:
    """Read ``folder``, whose files must not be those of ``settings``. Raises ``ImportRefused``."""
    _forbid_own(folder, settings)
    before = _signatures(folder)
    if not (folder / BALANCES).exists():
        raise ImportRefused([f"{folder / BALANCES}: is missing; is that the data folder of a livepeer-ops backend?"])
    try:
        # This file exists only while a payout is under way.
        found = _read(folder, [name for name, each in before.items() if each is None and name != PAYOUTS])
    except OSError as error:
        raise ImportRefused([f"{error.filename or folder}: cannot be read ({error.strerror})"]) from None
    found.problems.extend(
        f"{folder / name}: has changed while it was read; stop livepeer-ops first"
        for name, signature in _signatures(folder).items()
        if signature != before[name]
    )
    return found


def printable(name: str) -> str:
    """``name``, escaped if it does not fit on a line of text."""
    return name if name.isprintable() else ascii(name)


def _forbid_own(folder: Path, settings: Settings) -> None:
    engine, registry = engine_of(settings), settings.registry_path.resolve()
    paths = [folder / name for name in _FILES]
    shared = [path for path in paths if path.resolve() == registry or engine.uses(path)]
    if shared:
        why = "is also where the settings keep a file; set PAYMENTS_DATA_DIR to another folder"
        raise ImportRefused([f"{path}: {why}" for path in shared])


def _signatures(folder: Path) -> dict[str, tuple[int, int, int] | None]:
    return {name: _signature(folder / name) for name in _FILES}


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImportRefused([f"{path}: cannot be read ({error.strerror})"]) from None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(folder: Path, missing: list[str]) -> LivepeerOps:
    problems: list[str] = []
    records = dict(_each(folder / REGISTRY, problems, _record))
    balances = dict(_each(folder / BALANCES, problems, lambda _, item: read_amount(item)))
    sessions = dict(_each(folder / SESSIONS, problems, _session))
    power = dict(_each(folder / POWER, problems, lambda _, item: LastReading(**_load(_ReadingSchema(), item))))
    sums = None if JOURNAL in missing else add_up(folder / JOURNAL)
    problems += sums.problems if sums else ()
    problems += [
        f"{folder / PAYOUTS}: a payout of {item.get('amount_eth')} ETH to {printable(orchestrator_id)} "
        f"(transaction {item.get('tx_hash')}) is under way and not yet taken from its balance; let livepeer-ops settle "
        f"it first, or, where it never will, correct {BALANCES} and take it out of {PAYOUTS}"
        for orchestrator_id, item in _each(folder / PAYOUTS, problems, lambda _, item: _object(item))
    ]
    return LivepeerOps(
        folder,
        records,
        balances,
        {session_id: session for session_id, session in sessions.items() if session is not None},
        sum(session is None for session in sessions.values()),
        power,
        sums,
        missing,
        (folder / TEE_STATE).exists(),
        problems,
    )


def _each(path: Path, problems: list[str], read: Callable[[str, Any], T]) -> Iterator[tuple[str, T]]:
    """The items of the object in ``path``, converted by ``read``. Adds a message to ``problems`` for each bad one."""
    try:
        document = read_exactly(path.read_bytes())
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return
    except ValueError as error:
        problems.append(f"{path}: {error}")
        return
    for name, item in document.items():
        try:
            yield name, read(name, item)
        except ValidationError as error:
            problems += [
                f"{path}, record {printable(name)}: {field}: {' '.join(messages)}"
                for field, messages in sorted(error.messages_dict.items())
            ]
        except ValueError as error:
            problems.append(f"{path}, record {printable(name)}: {error}")


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ValueError("not a JSON object")
    return item


def _load(schema: Schema, item: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = schema.load(_object(item))
    return loaded


def _record(orchestrator_id: str, item: Any) -> dict[str, Any]:
    record = _object(item)
    if record.setdefault("orchestrator_id", orchestrator_id) != orchestrator_id:
        raise ValueError(f'"orchestrator_id" is {str(record["orchestrator_id"])[:140]!a}')
    return record


def _session(session_id: str, item: Any) -> OpenSession | None:
    """The session; ``None`` if it has ended."""
    ended_at = _object(item).get("ended_at")
    if ended_at is not None:
        moment_after(ended_at)
        return None
    session = OpenSession(**_load(_SessionSchema(), item))
    if session.session_id != session_id:
        raise ValueError(f'"session_id" is {session.session_id!a}')
    return session
