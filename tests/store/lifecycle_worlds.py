"""The machine on a store that is called directly, with power readings, retention, and changing terms and files."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from msgspec.structs import replace

from payments.domain.commands import Command
from payments.domain.decisions import DUPLICATE, LATE, RECORDED, Outcome
from payments.domain.entries import Entry
from payments.domain.readings import AWAKE, UNKNOWN, PowerState, Reading
from payments.domain.retention import CloseStale, PurgeEnded
from payments.domain.sessions import Session, SessionEvent
from payments.domain.state import State
from payments.store import Result
from payments.store.file.snapshot import Paths
from tests.audit import audit
from tests.harness import folder_in_memory, journal_path, projections, state_of, verified
from tests.store.lifecycle import HOUR_MS, Lifecycle, once_begun
from tests.store.store_fixture import MINUTE_MS, StoreFixture, all_entries

DAY_MS = 24 * HOUR_MS
ORCHESTRATORS = st.sampled_from(["orch-a", "orch-b"])


class HouseWorld:
    """A store, called directly."""

    def __init__(self, folder: Path | None) -> None:
        self.env = StoreFixture(folder, segment_bytes=8192)

    def report(self, said: SessionEvent) -> Result:
        return self.execute(said, said.received_at_ms)

    def execute(self, command: Command, now_ms: int) -> Result:
        self.env.clock.now_ms = now_ms
        return self.env.store.execute([command])[0]

    def attribute(self, attribution: Mapping[str, str]) -> None:
        self.env.terms = self.env.terms._replace(attribution=dict(attribution))

    def entries(self) -> list[Entry]:
        return all_entries(self.env.store)[::-1]

    def state(self) -> State:
        return state_of(self.env.store)


class MemoryLifecycle(Lifecycle):
    """The reference store, with changing terms, power readings and retention.

    Attributes:
        power: each orchestrator as in the last answer about it.
    """

    world: HouseWorld
    keep_ms = DAY_MS

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(HouseWorld(folder))
        self.power: dict[str, PowerState] = {}

    @initialize(max_gap_ms=st.sampled_from([0, 10 * MINUTE_MS]), max_event_age_ms=st.sampled_from([HOUR_MS, 0]))
    def choose_terms(self, max_gap_ms: int, max_event_age_ms: int) -> None:
        env = self.world.env
        env.terms = env.terms._replace(
            max_gap_ms=max_gap_ms,
            max_event_age_ms=max_event_age_ms,
            keep_ms=self.keep_ms,
            power_rate_wei_per_minute=10**15,
        )

    @once_begun
    @rule(
        orchestrator_id=ORCHESTRATORS,
        readings=st.lists(
            st.tuples(st.sampled_from([AWAKE, AWAKE, AWAKE, "asleep", UNKNOWN]), st.integers(1, 4 * MINUTE_MS)),
            min_size=1,
            max_size=5,
        ),
    )
    def read_power(self, *, orchestrator_id: str, readings: list[tuple[str, int]]) -> None:
        """Sweeps of a healthy worker, at intervals."""
        for state, later_ms in readings:
            self.now_ms += later_ms
            self.take_reading(Reading(orchestrator_id, state, self.now_ms))

    @once_begun
    @rule(orchestrator_id=ORCHESTRATORS, state=st.sampled_from([AWAKE, UNKNOWN]), late_ms=st.integers(0, 4 * MINUTE_MS))
    def read_power_late(self, *, orchestrator_id: str, state: str, late_ms: int) -> None:
        """A second worker's reading, or a repeated one."""
        reading = Reading(orchestrator_id, state, self.now_ms - late_ms)
        self.take_reading(reading)
        self.take_reading(reading)

    @once_begun
    @rule(later_ms=st.sampled_from([0, HOUR_MS, 2 * DAY_MS]))
    def look_after_sessions(self, later_ms: int) -> None:
        """The worker's retention: close sessions silent for half an hour, purge those that ended a day ago."""
        self.now_ms += later_ms
        keep_ms = self.world.env.terms.keep_ms
        for command in self.world.env.store.due(self.now_ms, HOUR_MS // 2, keep_ms, limit=10**6):
            before = self.known[command.session_id]
            result = self.world.execute(command, self.now_ms)
            assert isinstance(result, Outcome)
            assert result.kind == RECORDED
            self.count += 1
            if isinstance(command, CloseStale):
                closed = replace(before, status="ended", end_reason="timeout", ended_at_ms=before.last_billed_at_ms)
                assert result.session == closed
                self.known[command.session_id] = closed
            else:
                assert result.session == self.known.pop(command.session_id)

    @once_begun
    @rule(number=st.integers(1, 4), retention=st.sampled_from([CloseStale, PurgeEnded]))
    def look_after_a_session_that_has_spoken_since(
        self, number: int, retention: type[CloseStale] | type[PurgeEnded]
    ) -> None:
        known = self.known.get(f"s-{number}")
        result = self.world.execute(retention(f"s-{number}", known.last_seen_at_ms - 1 if known else 0), self.now_ms)
        assert result.kind == (LATE if known else "not-found")

    @once_begun
    @rule(require_awake=st.booleans())
    def require_awake(self, require_awake: bool) -> None:
        self.world.env.terms = self.world.env.terms._replace(require_awake=require_awake)

    @invariant()
    def power_is_as_answered(self) -> None:
        assert self.world.state().power == self.power

    def take_reading(self, reading: Reading) -> None:
        """Record ``reading``, and check the answer against what is known."""
        known = self.power.get(reading.orchestrator_id)
        is_known = known is not None and (known.read_at_ms, known.state) == (reading.read_at_ms, reading.state)
        result = self.world.execute(reading, self.now_ms)
        assert isinstance(result, Outcome)
        assert result.kind == (DUPLICATE if is_known else RECORDED)
        self.count += not is_known
        assert (result.power.state, result.power.read_at_ms) == (reading.state, reading.read_at_ms)
        self.power[reading.orchestrator_id] = result.power

    def covered_ms(self, before: Session | None, after: Session) -> int | None:
        if not self.world.env.terms.require_awake:
            return None
        power = self.power.get((before and before.orchestrator_id) or "")
        if before is None or power is None:
            return 0
        begin_ms = max(before.last_billed_at_ms, power.awake_from_ms)
        return max(0, min(after.last_billed_at_ms, power.awake_until_ms) - begin_ms)

    @once_begun
    @rule(rate_wei=st.sampled_from([0, 1, 59_999, 10**15, 123_456_789_012_345]))
    def change_rate(self, rate_wei: int) -> None:
        self.world.env.terms = self.world.env.terms._replace(rate_wei_per_minute=rate_wei)

    def teardown(self) -> None:
        self.world.env.close()


class FileLifecycle(MemoryLifecycle):
    """The file engine: stops and starts, shared files, plain and compressed segments, missing or stale projections."""

    def __init__(self) -> None:
        self.resources = ExitStack()
        self.folder = self.resources.enter_context(folder_in_memory())
        self.paths = projections(self.folder)
        super().__init__(self.folder)
        self.older = {path: path.read_bytes() for path in self.paths}

    @once_begun
    @rule()
    def go_on_with_another_store(self) -> None:
        self.world.env.switch()

    @once_begun
    @rule()
    def maintain(self) -> None:
        self.world.env.store.maintain()

    @once_begun
    @rule(lost=st.sets(st.sampled_from(Paths._fields)) | st.just(set()))
    def reopen(self, lost: set[str]) -> None:
        env = self.world.env
        env.close()
        self.older = {path: path.read_bytes() for path in self.paths}
        for name in lost:
            getattr(self.paths, name).unlink()
        env.reopen()

    @once_begun
    @rule(older=st.sampled_from([Paths._fields[1:], Paths._fields[2:]]))
    def reopen_as_after_a_crash_between_two_projections(self, older: tuple[str, ...]) -> None:
        self.world.env.close()
        for path in (getattr(self.paths, name) for name in older):
            path.write_bytes(self.older[path])
        self.world.env.reopen()

    def teardown(self) -> None:
        with self.resources:
            super().teardown()
            assert len(audit(journal_path(self.folder)).entries) == self.count
            assert verified(self.folder).entries == self.count
