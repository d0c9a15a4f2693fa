"""How entries account for time: which part of an interval earned, and why the rest did not."""

from collections.abc import Mapping

from payments.domain.entries import JSON
from payments.domain.sessions import Session
from payments.domain.times import format_time


def add_by_cause(total_ms: Mapping[str, int], more_ms: Mapping[str, int]) -> Mapping[str, int]:
    """Both added up, cause by cause, in milliseconds. A cause without any has no key."""
    if not more_ms:
        return total_ms
    return {cause: total_ms.get(cause, 0) + more_ms.get(cause, 0) for cause in {**total_ms, **more_ms}}


def session_metadata(
    before: Session, after: Session, event: str, billed_ms: int = 0, unbilled_ms: Mapping[str, int] | None = None
) -> dict[str, JSON]:
    """The metadata of an entry about the interval between ``before`` and ``after``; its host is that of ``before``."""
    metadata: dict[str, JSON] = {
        "session_id": after.session_id,
        "incarnation": after.incarnation,
        "edge_id": after.edge_id,
        "streamer_id": after.streamer_id,
        "upstream_addr": before.upstream_addr,
        "upstream_port": before.upstream_port,
        "event": event,
        "delta_ms": billed_ms,
        "interval_start": format_time(before.last_billed_at_ms),
        "interval_end": format_time(after.last_billed_at_ms),
    }
    if unbilled_ms:
        metadata["unbilled_ms"] = dict(unbilled_ms)
    return metadata
