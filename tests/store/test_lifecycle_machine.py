"""After each step of any story of edges, in any order and at any time, the accounts add up.

The same machine drives every engine, and a live server with two workers.
"""

import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from msgspec.structs import replace

from payments.domain.decisions import RECORDED, Outcome
from payments.domain.entries import Entry
from payments.domain.records import entry_record, read_balance, read_session
from payments.domain.sessions import EVENTS, SessionEvent
from payments.domain.state import State
from payments.domain.times import format_time
from payments.errors import Rejected
from payments.store import Result
from payments.store.file.codec import decode
from tests.audit import audit
from tests.harness import HOST_A, HOST_B, Server, campaign, journal_lines, journal_path, running_server
from tests.store.lifecycle import HOST_C, HOUR_MS, Lifecycle
from tests.store.lifecycle_worlds import FileLifecycle, MemoryLifecycle

pytestmark = pytest.mark.long


class ServerWorld:
    """A server, called over HTTP; its entries are read from the journal file and must equal those of the API."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def report(self, said: SessionEvent) -> Result:
        occurred_at = None if said.occurred_at_ms is None else format_time(said.occurred_at_ms)
        fields = {name: getattr(said, name) for name in ("session_id", "event", "upstream_addr", "event_id", "seq")}
        return _result(self.server.report(**fields, occurred_at=occurred_at))

    def attribute(self, attribution: Mapping[str, str]) -> None:
        for host, orchestrator_id in ((HOST_A, "orch-a"), (HOST_B, "orch-b"), (HOST_C, "orch-c")):
            self.server.register(orchestrator_id, host, enabled=host in attribution)

    def entries(self) -> list[Entry]:
        audit(journal_path(self.server.data))
        entries = [decode(line)[0] for line in journal_lines(self.server.data)]
        assert self.shown_entries() == [entry_record(entry) for entry in reversed(entries)]
        return entries

    def shown_entries(self) -> list[Any]:
        """The API's entries, newest first."""
        shown: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.server.get("/api/ledger/events", limit=100, **cursor)
            shown += page["events"]
            if page["next_cursor"] is None:
                return shown
            cursor = {"cursor": page["next_cursor"]}

    def state(self) -> State:
        sessions = map(read_session, reversed(self.server.get("/api/sessions", limit=2000)["sessions"]))
        balances = map(read_balance, self.server.get("/api/ledger/balances")["balances"])
        return State(
            max((entry["seq"] for entry in self.server.get("/api/ledger/events", limit=1)["events"]), default=0),
            {session.session_id: session for session in sessions},
            {balance.orchestrator_id: balance for balance in balances},
        )


class ServerLifecycle(Lifecycle):
    """A live server. Its clock cannot be set, so events are told some hours late, all with ``occurred_at``."""

    SETTINGS = {  # noqa: RUF012 - never changed
        "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.000123456789012345",
        "PAYMENTS_SESSION_MAX_GAP_SECONDS": "2400",
        "PAYMENTS_SESSION_MAX_EVENT_AGE_SECONDS": "14400",
        "PAYMENTS_SESSION_IDLE_TIMEOUT_SECONDS": "1000000",
    }

    def __init__(self) -> None:
        with ExitStack() as resources:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory()))
            server = resources.enter_context(running_server(folder, self.SETTINGS))
            assert len(server.workers()) == 2
            super().__init__(ServerWorld(server), time.time_ns() // 1_000_000 - 3 * HOUR_MS)
            self.resources = resources.pop_all()

    def teardown(self) -> None:
        self.resources.close()

    def occurred_at_ms(self, offset_ms: int | None) -> int | None:
        return self.now_ms + (offset_ms or 0)

    @rule(number=st.integers(1, 3), kind=st.sampled_from(EVENTS), host=st.sampled_from([HOST_A, HOST_B, HOST_C]))
    def report_over_four_connections_at_once(self, number: int, kind: str, host: str) -> None:
        said = SessionEvent(f"s-{number}", kind, 0, host, occurred_at_ms=self.now_ms)
        said = replace(said, event_id=f"once-{len(self.sent)}")
        self.sent.append(said)
        with ThreadPoolExecutor(4) as connections:
            results = list(connections.map(self.world.report, [said] * 4))
        for result in sorted(results, key=lambda result: result.kind != RECORDED):
            self.judge(said, result)


def test_accounts_add_up_in_memory() -> None:
    tell_stories(MemoryLifecycle, examples=100, steps=50)


def test_accounts_add_up_in_files() -> None:
    tell_stories(FileLifecycle, examples=50, steps=40)


@pytest.mark.processes
def test_accounts_add_up_on_a_live_server() -> None:
    """Each story has its own server, so a failing story is reported unshrunk."""
    tell_stories(ServerLifecycle, examples=3, steps=70, phases=[Phase.explicit, Phase.reuse, Phase.generate])


def tell_stories(machine: type[RuleBasedStateMachine], examples: int, steps: int, **options: Any) -> None:
    """Run ``machine`` on ``examples`` stories, or more if asked for, of up to ``steps`` steps each."""
    suppressed = list(HealthCheck)
    size = campaign(examples, stateful_step_count=steps, suppress_health_check=suppressed, **options)
    run_state_machine_as_test(machine, settings=size)


def _result(response: requests.Response) -> Result:
    answer = response.json()
    if response.status_code == 200:
        return Outcome(answer["outcome"], read_session(answer))
    assert response.status_code in (409, 422), answer
    return Rejected(answer["type"].rpartition(":")[2], answer["detail"])
