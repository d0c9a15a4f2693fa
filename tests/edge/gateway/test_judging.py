"""The campaign's judge accepts correct credits and nothing else."""

from typing import Any

import pytest

from payments.domain.times import format_time
from tests.edge.gateway.audience import Stay
from tests.edge.gateway.campaign import judge
from tests.harness import NOON_MS

HOST = "127.0.0.2"


def stay(name: str = "viewer-1", **changed: Any) -> Stay:
    """A stay of ten seconds, known to 4 ms."""
    moments = {
        "reached_ms": NOON_MS, "opened_ms": NOON_MS + 2, "left_ms": NOON_MS + 10_000, "gone_ms": NOON_MS + 10_002,
        "way": "vanished",
    }  # fmt: skip
    return Stay(name, HOST, **{**moments, **changed})


def cut_off(name: str = "viewer-1") -> Stay:
    """The same, cut by a kill at ten seconds."""
    return stay(name, left_ms=None, way="cut off")


def session(streamer_id: str | None = "viewer-1", billed_ms: int = 10_000, **changed: Any) -> dict[str, Any]:
    return {
        "streamer_id": streamer_id, "billed_ms": billed_ms, "status": "ended", "incarnation": 1, "unbilled_ms": {},
        "orchestrator_id": "orch-a", "upstream_addr": HOST, "started_at": format_time(NOON_MS + 1), **changed,
    }  # fmt: skip


KILL_MS = NOON_MS + 10_000
EARLY, OF_EARLY = stay("early", left_ms=NOON_MS + 7_999, gone_ms=NOON_MS + 8_000), session("early", 8_000)
"""A viewer who left long before the kill."""


@pytest.mark.parametrize("billed_ms", [9_950, 10_000, 10_050])
def test_within_50_ms_is_right(billed_ms: int) -> None:
    assert judge([stay()], [session(billed_ms=billed_ms)], [], 1, 0).stays == 1


def test_a_heartbeat_may_be_missing_of_those_whom_a_kill_has_cut_off() -> None:
    found = judge([EARLY, cut_off()], [OF_EARLY, session(billed_ms=8_800)], [KILL_MS], 1, 0)
    assert (found.cut, found.missing_ms) == (1, 1_198)


def test_stays_just_begun_at_a_kill_may_be_unreported_or_nameless() -> None:
    late = {"left_ms": None, "way": "cut off", "gone_ms": KILL_MS + 2}
    young = stay("viewer-3", reached_ms=KILL_MS - 600, opened_ms=KILL_MS - 598, **late)
    told = stay("viewer-4", reached_ms=KILL_MS - 300, opened_ms=KILL_MS - 298, **late)
    nameless = session(None, 0, started_at=format_time(KILL_MS - 299))
    found = judge([EARLY, told, young], [OF_EARLY, nameless], [KILL_MS], 1, 0)
    assert found.cut == 2


WRONG: dict[str, tuple[list[Stay], list[dict[str, Any]], list[int]]] = {
    "too much": ([stay()], [session(billed_ms=10_060)], []),
    "too little": ([stay()], [session(billed_ms=9_940)], []),
    "too little of one who was cut off": ([EARLY, cut_off()], [OF_EARLY, session(billed_ms=8_400)], [KILL_MS]),
    "too much of one who was cut off": ([EARLY, cut_off()], [OF_EARLY, session(billed_ms=10_060)], [KILL_MS]),
    "nothing": ([stay()], [], []),
    "two sessions": ([stay()], [session(), session()], []),
    "a second one without a name": ([stay()], [session(), session(None)], []),
    "a session of nobody": ([stay()], [session(), session("viewer-9")], []),
    "not ended": ([stay()], [session(status="active")], []),
    "resumed": ([stay()], [session(incarnation=2)], []),
    "time that is not billed": ([stay()], [session(unbilled_ms={"gap": 20})], []),
    "earned by another": ([stay()], [session(orchestrator_id="orch-b")], []),
    "cut off though nothing was killed": ([EARLY, cut_off()], [OF_EARLY, session()], []),
    "of one who had left before the kill": ([EARLY], [session("early", 7_000)], [KILL_MS]),
}


@pytest.mark.parametrize(("stays", "sessions", "kills"), WRONG.values(), ids=WRONG)
def test_wrong_is_wrong(stays: list[Stay], sessions: list[dict[str, Any]], kills: list[int]) -> None:
    with pytest.raises(AssertionError):
        judge(stays, sessions, kills, 1, 0)
