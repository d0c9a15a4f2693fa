"""Would the API start with these settings? Checked as a start checks, without making or changing anything."""

from pathlib import Path

from payments.clock import now_ms
from payments.disk.obstacles import access_problems
from payments.registry import Record, good_path, host_conflict, read_records
from payments.settings import Settings
from payments.store import engine_of


def obstacles(settings: Settings) -> list[str]:
    """The problems that would stop a start."""
    registry = [
        f"PAY-C07 {at}: cannot be used ({why}); let the user that runs Payments read and write it, or set "
        "PAYMENTS_REGISTRY_PATH"
        for at, why in access_problems(settings.registry_path)
    ]
    return [
        *registry,
        *engine_of(settings).obstacles(),
        *_registry_problems(settings.registry_path),
        *_bootstrap_problems(settings),
    ]


def file_warnings(settings: Settings) -> list[str]:
    """Problems with files that do not stop a start: a broken edit, projections that cannot be written."""
    warnings = []
    if (why := _why_unsound(settings.registry_path)) and _is_sound(good_path(settings.registry_path)):
        warnings.append(f"PAY-R01 {settings.registry_path}: {why}; the last good records stay in force")
    return [*warnings, *engine_of(settings).warnings()]


def _registry_problems(path: Path) -> list[str]:
    """What is wrong with the registry, unless a good copy can replace it."""
    if _is_sound(good_path(path)) or not (why := _why_unsound(path)):
        return []
    return [f"PAY-R01 {path}: {why}; fix the file, or restore it from a backup, and start again"]


def _why_unsound(path: Path) -> str | None:
    """What is wrong with the records in ``path``; ``None`` also if it is missing or unreadable, reported elsewhere."""
    try:
        read_records(path.read_bytes(), now_ms())
    except OSError:
        return None
    except ValueError as error:
        return str(error)
    return None


def _is_sound(path: Path) -> bool:
    return path.is_file() and _why_unsound(path) is None


def _bootstrap_problems(settings: Settings) -> list[str]:
    """What is wrong with the records to register at start. Registered ones are skipped."""
    path = settings.bootstrap_orchestrators_path
    if path is None:
        return []
    try:
        wanted = read_records(path.read_bytes(), now_ms())
    except OSError as error:
        return [f"PAY-C06 PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path} cannot be read ({error.strerror})"]
    except ValueError as error:
        return [f"PAY-C06 PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path}: {error}"]
    known = _registered(settings.registry_path)
    owners = {record.host_public_ip: record.orchestrator_id for record in known.values()}
    conflicts = [
        host_conflict(host, owners[host])
        for name, record in wanted.items()
        if name not in known and (host := record.host_public_ip) is not None and host in owners
    ]
    return [f"PAY-C06 PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path}: {conflict}" for conflict in conflicts]


def _registered(path: Path) -> dict[str, Record]:
    """The registered records; none if the file is missing or broken."""
    try:
        return read_records(path.read_bytes(), now_ms())
    except (OSError, ValueError):
        return {}
