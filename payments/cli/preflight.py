"""Could the API start with these settings? Judged as the start does, and nothing is made or changed by it."""

from pathlib import Path

from payments.clock import now_ms
from payments.disk.obstacles import access_problems
from payments.registry import Record, good_path, read_records
from payments.settings import Settings
from payments.store import engine_of


def obstacles(settings: Settings) -> list[str]:
    """What would stop the start, one problem each."""
    remedy = "let the user that runs Payments read and write it, or set PAYMENTS_REGISTRY_PATH"
    registry = [f"{at}: cannot be used ({why}); {remedy}" for at, why in access_problems(settings.registry_path)]
    return [
        *registry,
        *engine_of(settings).obstacles(),
        *_registry_problems(settings.registry_path),
        *_bootstrap_problems(settings),
    ]


def file_warnings(settings: Settings) -> list[str]:
    """What is wrong with files that a start warns of, and goes on without: a broken edit, projections kept from it."""
    warnings = []
    if (why := _why_unsound(settings.registry_path)) and _is_sound(good_path(settings.registry_path)):
        warnings.append(f"PAY-R01 {settings.registry_path}: {why}; the last good records stay in force")
    return [*warnings, *engine_of(settings).warnings()]


def _registry_problems(path: Path) -> list[str]:
    """What is wrong with the records there are, where no good copy of them stands in."""
    if _is_sound(good_path(path)) or not (why := _why_unsound(path)):
        return []
    return [f"PAY-R01 {path}: {why}; fix the file, or restore it from a backup, and start again"]


def _why_unsound(path: Path) -> str | None:
    """What is wrong with the records in ``path``, if it is there and can be read: else that is named already."""
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
    """What is wrong with the records to register at start; those that are registered already are left alone."""
    path = settings.bootstrap_orchestrators_path
    if path is None:
        return []
    beginning = f"PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH: {path}"
    try:
        wanted = read_records(path.read_bytes(), now_ms())
    except OSError as error:
        return [f"{beginning} cannot be read ({error.strerror})"]
    except ValueError as error:
        return [f"{beginning}: {error}"]
    known = _registered(settings.registry_path)
    owners = {record.host_public_ip: record.orchestrator_id for record in known.values()}
    return [
        f"{beginning}: host_public_ip {record.host_public_ip} belongs to {owners[record.host_public_ip]} already"
        for record in wanted.values()
        if record.orchestrator_id not in known and record.host_public_ip is not None and record.host_public_ip in owners
    ]


def _registered(path: Path) -> dict[str, Record]:
    """The records there are; none where the file is missing or broken, in which case nothing is registered."""
    try:
        return read_records(path.read_bytes(), now_ms())
    except (OSError, ValueError):
        return {}
