"""What is not imported, and what the plan says about it."""

from pathlib import Path
from typing import Any

import pytest

from payments.domain.ledger import Adjustment
from payments.domain.sessions import HEARTBEAT, SessionEvent
from payments.domain.times import parse_time
from tests.harness import state_of
from tests.importing.import_fixture import NOW_MS, ImportFixture, actions, copy_data, details, edit


@pytest.fixture
def env(tmp_path: Path) -> ImportFixture:
    return ImportFixture(tmp_path)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return copy_data(tmp_path)


def test_record_that_is_here_is_left_as_it_is(env: ImportFixture) -> None:
    env.registry.register({"orchestrator_id": "orch-a", "host_public_ip": "203.0.113.10", "address": f"0x{'9' * 40}"})
    env.registry.register({"orchestrator_id": "orch-b", "host_public_ip": "203.0.113.20"})
    before = dict(env.registry.records())
    plan = env.take_over()
    assert actions(plan, "orchestrator")["orch-a"] == "conflict"
    assert details(plan, "orchestrator")["orch-a"] == (
        f"left as it is: address is 0x{'9' * 40} here and '0x{'1' * 40}' there; "
        "host_name is None here and 'a.example' there"
    )
    assert {name: env.registry.records()[name] for name in before} == before


def test_host_that_is_anothers_here_is_not_taken_from_it(env: ImportFixture) -> None:
    env.registry.register({"orchestrator_id": "orch-z", "host_public_ip": "203.0.113.10"})
    plan = env.take_over()
    assert details(plan, "orchestrator")["orch-a"] == (
        "taken over without its host: here, 203.0.113.10 belongs to orch-z"
    )
    assert env.registry.records()["orch-a"].host_public_ip is None
    assert env.registry.attribution()["203.0.113.10"] == "orch-z"


def test_session_whose_host_is_anothers_here_is_not_given_to_it(env: ImportFixture) -> None:
    env.registry.register({"orchestrator_id": "orch-z", "host_public_ip": "203.0.113.10"})
    plan = env.take_over()
    assert details(plan, "session")["s-open"] == (
        "host 203.0.113.10 is orch-z's here and was orch-a's there; it begins here with its next event, and the time "
        "since 2026-01-31T11:45:00.120Z is not credited"
    )
    assert "s-open" not in state_of(env.store).sessions


def test_two_records_with_one_host_stop_the_import_until_one_is_registered_here(
    env: ImportFixture, theirs: Path
) -> None:
    edit(theirs, "registry.json", lambda records: records["orch-d"].update(host_public_ip="::ffff:203.0.113.10"))
    [problem] = env.plan(theirs).problems
    assert problem.endswith(
        "orch-d: host_public_ip 203.0.113.10 is that of orch-a too; register here first the one that has it"
    )
    env.registry.register({"orchestrator_id": "orch-d", "host_public_ip": "203.0.113.10"})
    assert env.plan(theirs).problems == []


def test_denylisted_orchestrator_is_disabled(env: ImportFixture, theirs: Path) -> None:
    edit(theirs, "registry.json", lambda records: records["orch-a"].update(denylisted=True))
    plan = env.take_over(theirs)
    assert not env.registry.records()["orch-a"].enabled
    assert details(plan, "orchestrator")["orch-a"] == (
        "host 203.0.113.10; disabled, for it is denylisted there "
        "(to enable it: payments orchestrators disable orch-a --undo)"
    )
    assert actions(plan, "session")["s-open"] == "leave"
    assert actions(plan, "power")["orch-a"] == "leave"


def test_balance_is_added_to_what_is_owed_here(env: ImportFixture) -> None:
    env.store.execute([Adjustment("orch-d", 5, "mine", "why")])
    plan = env.take_over()
    assert "added to the 0.000000000000000005 that it is owed here" in details(plan, "balance")["orch-d"]
    assert state_of(env.store).balance_wei("orch-d") == 5 + 625 * 10**15


def test_orchestrator_that_only_the_journal_knows_is_reported(env: ImportFixture, theirs: Path) -> None:
    edit(theirs, "balances.json", lambda balances: balances.pop("orch-d") and None)
    plan = env.plan(theirs)
    assert actions(plan, "balance")["orch-d"] == "leave"
    assert details(plan, "balance")["orch-d"].startswith(
        "not in balances.json; audit/ledger-events.log adds up to 0.49"
    )


def test_session_that_is_here_is_left_as_it_is(env: ImportFixture) -> None:
    env.store.execute([SessionEvent("s-open", HEARTBEAT, NOW_MS - 5000, "203.0.113.10")])
    before = state_of(env.store).sessions["s-open"]
    assert actions(env.take_over(), "session")["s-open"] == "is here"
    assert state_of(env.store).sessions["s-open"] == before


@pytest.mark.parametrize(
    ("values", "silence_s"),
    [
        ({}, 3600),
        ({"SESSION_REAP_SECONDS": 600}, 600),
        ({"SESSION_REAP_SECONDS": 0, "SESSION_RETENTION_HOURS": 2, "SESSION_MAX_EVENT_AGE_SECONDS": 60}, 7200),
        ({"SESSION_REAP_SECONDS": 10**6, "SESSION_RETENTION_HOURS": 1}, 86_400),
    ],
    ids=["default", "reaped", "not-reaped", "forgotten-before-reaped"],
)
def test_session_goes_on_only_while_it_would_be_kept_here(tmp_path: Path, values: Any, silence_s: int) -> None:
    """After that, the worker could have closed and purged it after an earlier import."""
    env = ImportFixture(tmp_path, **values)
    seen_ms = NOW_MS - 15_000 - 15_000 + 1  # 11:59:45.123456, in whole milliseconds
    env.clock.now_ms = seen_ms + silence_s * 1000
    assert actions(env.plan(), "session")["s-open"] == "take over"
    env.clock.now_ms += 1
    assert actions(env.plan(), "session")["s-open"] == "leave"


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"SESSION_CREDIT_ETH_PER_MINUTE": 0}, "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE is 0"),
        ({"SESSION_REQUIRE_AWAKE": "true"}, "PAYMENTS_SESSION_REQUIRE_AWAKE is set"),
        ({"SESSION_MAX_GAP_SECONDS": 60}, "longer ago than PAYMENTS_SESSION_MAX_GAP_SECONDS"),
        ({"CREDIT_UNIT": "usd"}, "credits there are in 'eth', here (PAYMENTS_CREDIT_UNIT) in 'usd'"),
    ],
    ids=["unpriced", "awake", "gap", "unit"],
)
def test_settings_that_make_a_difference_are_named(tmp_path: Path, values: Any, note: str) -> None:
    assert any(note in item.detail for item in ImportFixture(tmp_path, **values).plan().items)


def test_power_state_is_left_where_nothing_is_metered(tmp_path: Path) -> None:
    plan = ImportFixture(tmp_path, POWER_METER_ENABLED="false").plan()
    assert set(actions(plan, "power").values()) == {"leave"}


def test_power_state_goes_on_only_while_it_would_be_credited(env: ImportFixture) -> None:
    env.clock.now_ms = parse_time("2026-01-31T11:58:30.724Z") + 180_000
    assert actions(env.plan(), "power")["orch-a"] == "take over"
    env.clock.now_ms += 1
    assert actions(env.plan(), "power")["orch-a"] == "leave"


def test_unknown_power_state_says_who_did_not_know(env: ImportFixture, theirs: Path) -> None:
    edit(theirs, "power_meter.json", lambda states: states["orch-a"].update(state="unknown"))
    env.take_over(theirs)
    assert state_of(env.store).power["orch-a"].detail == "read by livepeer-ops"


def test_orchestrator_that_has_cooled_down_is_enabled(env: ImportFixture) -> None:
    """Until 12:30:00.123456."""
    env.clock.now_ms = parse_time("2026-01-31T12:30:00.122Z")
    assert "disabled" in details(env.plan(), "orchestrator")["orch-c"]
    env.clock.now_ms += 1
    assert details(env.plan(), "orchestrator")["orch-c"] == "host 203.0.113.30"


def test_enclave_is_named(env: ImportFixture, theirs: Path) -> None:
    (theirs / "tee_core_state.b64").write_text("")
    assert "an enclave kept balances too" in details(env.plan(theirs), "tee_core_state.b64")[""]


def test_torn_last_line_is_reported_and_not_counted(env: ImportFixture, theirs: Path) -> None:
    before = env.plan(theirs)
    with (theirs / "audit" / "ledger-events.log").open("a") as file:
        file.write('{"timestamp":"2026-01-31T12:00:00+00:00","event":"cred')
    plan = env.plan(theirs)
    assert plan.problems == []
    assert plan.commands == before.commands
    assert "line 11: its end is missing" in details(plan, "audit/ledger-events.log")[""]


def test_whole_last_line_counts_though_its_newline_is_missing(env: ImportFixture, theirs: Path) -> None:
    journal = theirs / "audit" / "ledger-events.log"
    before = env.plan(theirs)
    journal.write_text(journal.read_text().removesuffix("\n"))
    assert env.plan(theirs).items[:12] == before.items[:12]


def test_balance_without_a_record_is_taken_over_and_said(env: ImportFixture, theirs: Path) -> None:
    edit(theirs, "registry.json", lambda records: records.pop("orch-d") and None)
    plan = env.take_over(theirs)
    assert "it has no record, so no address to pay to" in details(plan, "balance")["orch-d"]
    assert state_of(env.store).balance_wei("orch-d") == 625 * 10**15


def test_files_that_are_not_there_are_named(env: ImportFixture, theirs: Path) -> None:
    for name in ("registry.json", "sessions.json", "power_meter.json", "audit/ledger-events.log"):
        (theirs / name).unlink()
    plan = env.take_over(theirs)
    assert [item.what for item in plan.items if "is not there" in item.detail] == [
        "registry.json", "sessions.json", "power_meter.json", "audit/ledger-events.log",
    ]  # fmt: skip
    assert [item.facts for item in plan.items if (item.what, item.id) == ("balance", "orch-d")] == [
        {"balance": "0.625", "taken_over": "0.625", "below_one_wei": "0"}
    ]


@pytest.mark.parametrize(("balance", "agrees"), [("9E-19", True), ("1E-18", False), ("-1E-18", False)])
def test_journal_and_balance_differ_from_one_wei_on(
    env: ImportFixture, theirs: Path, balance: str, agrees: bool
) -> None:
    edit(theirs, "balances.json", lambda balances: balances.update({"orch-b": balance}))
    [facts] = [item.facts for item in env.plan(theirs).items if (item.what, item.id) == ("balance", "orch-b")]
    assert facts["agrees"] == agrees
