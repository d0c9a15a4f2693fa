"""Importing a folder that livepeer-ops itself wrote."""

from dataclasses import replace
from pathlib import Path

import pytest

from payments.domain.ledger import Adjustment
from payments.domain.money import format_eth, parse_eth
from payments.domain.readings import Reading
from payments.domain.sessions import ACTIVE, HEARTBEAT, SessionEvent
from payments.domain.times import parse_time
from payments.errors import Rejected
from payments.importing import carry_out
from tests.harness import state_of
from tests.importing.import_fixture import DATA, NOW_MS, ImportFixture, actions, copy_data, details, edit

OPEN_FROM_MS = parse_time("2026-01-31T11:45:00.120Z")
"""The first whole millisecond of ``s-open`` that is not billed there: it is billed up to 11:45:00.119256."""


@pytest.fixture
def env(tmp_path: Path) -> ImportFixture:
    return ImportFixture(tmp_path)


def test_plan_says_what_becomes_of_everything(env: ImportFixture) -> None:
    plan = env.plan()
    assert plan.problems == []
    assert actions(plan, "orchestrator") == dict.fromkeys(("orch-a", "orch-b", "orch-c", "orch-d"), "take over")
    assert actions(plan, "balance") == {
        "orch-a": "take over", "orch-b": "leave", "orch-c": "take over", "orch-d": "take over",
    }  # fmt: skip
    assert actions(plan, "session") == {"s-open": "take over", "s-nobody": "take over", "s-silent": "leave"}
    assert actions(plan, "power") == {"orch-a": "take over", "orch-b": "leave", "orch-c": "leave"}
    assert [item.detail for item in plan.items if item.action == "note" or not item.id] == [
        "1 ended: settled there, and left there",
        "what livepeer-ops pays by, and so what is taken over; audit/ledger-events.log is only compared with it",
    ]


def test_plan_is_these_commands_and_no_more(env: ImportFixture) -> None:
    note = "balance taken over from livepeer-ops, {} there"
    reference, eternal = "livepeer-ops:opening-balance", "livepeer-ops:open-session"
    a_day, nobody_ms = parse_time("2026-01-31T11:59:42.124Z"), parse_time("2026-01-31T11:50:00.124Z")
    assert env.plan().commands == [
        Adjustment("orch-d", parse_eth("0.625"), reference, note.format("0.625")),
        Adjustment("orch-c", -parse_eth("0.25"), reference, note.format("-0.25")),
        Adjustment("orch-a", 12021366666666666, reference, note.format("0.01202136666666666666666666667")),
        SessionEvent(
            "s-nobody", "start", a_day, "198.51.100.1", 8888, "edge-a", "avatar-1", eternal, None, nobody_ms
        ),
        SessionEvent(
            "s-open", "start", parse_time("2026-01-31T11:59:45.124Z"), "203.0.113.10", 8888, "edge-a", "avatar-1",
            eternal, None, OPEN_FROM_MS,
        ),
        Reading("orch-a", "awake", parse_time("2026-01-31T11:58:30.724Z")),
    ]  # fmt: skip


def test_balances_are_those_of_the_file_whatever_the_journal_adds_up_to(env: ImportFixture) -> None:
    """``orch-d`` has a credit whose journal line was lost; the other digits are how livepeer-ops rounds."""
    plan = env.take_over()
    assert details(plan, "balance")["orch-d"] == (
        "0.625, as balances.json says; audit/ledger-events.log adds up to 0.4999999999999999999999999995714286: "
        "balances.json is 0.1250000000000000000000000004285714 above that"
    )
    [facts] = [item.facts for item in plan.items if (item.what, item.id) == ("balance", "orch-d")]
    assert facts == {
        "balance": "0.625", "taken_over": "0.625", "below_one_wei": "0",
        "journal_sum": "0.4999999999999999999999999995714286",
        "difference": "0.1250000000000000000000000004285714", "agrees": False,
    }  # fmt: skip
    assert {name: format_eth(each.balance_wei) for name, each in state_of(env.store).balances.items()} == {
        "orch-a": "0.012021366666666666", "orch-c": "-0.25", "orch-d": "0.625",
    }  # fmt: skip


def test_what_is_below_one_wei_is_named(env: ImportFixture) -> None:
    assert details(env.plan(), "balance")["orch-a"] == (
        "0.012021366666666666, as balances.json says; 0.00000000000000000066666666667 below one wei is left behind"
    )


def test_orchestrator_that_earns_nothing_there_is_disabled_here(env: ImportFixture) -> None:
    plan = env.take_over()
    assert {name: each.enabled for name, each in env.registry.records().items()} == {
        "orch-a": True, "orch-b": False, "orch-c": False, "orch-d": True,
    }  # fmt: skip
    assert "is_top_100 is false" in details(plan, "orchestrator")["orch-b"]
    assert "cooling down there until 2026-01-31T12:30:00.123456+00:00" in details(plan, "orchestrator")["orch-c"]


def test_record_keeps_what_has_a_counterpart_here(env: ImportFixture) -> None:
    env.take_over()
    assert env.registry.records()["orch-a"].as_json() == {
        "orchestrator_id": "orch-a",
        "address": f"0x{'1' * 40}",
        "host_public_ip": "203.0.113.10",
        "host_name": "a.example",
        "power_url": None,
        "enabled": True,
        "registered_at": "2026-01-01T12:00:00.123Z",
        "updated_at": "2026-01-31T12:00:15.123Z",
    }


def test_session_goes_on_from_its_last_billed_moment(env: ImportFixture) -> None:
    env.take_over()
    session = state_of(env.store).sessions["s-open"]
    assert (session.status, session.orchestrator_id, session.billed_ms) == (ACTIVE, "orch-a", 0)
    assert session.started_at_ms == session.last_billed_at_ms == OPEN_FROM_MS
    env.store.execute([SessionEvent("s-open", HEARTBEAT, NOW_MS)])
    session = state_of(env.store).sessions["s-open"]
    assert (session.billed_ms, session.unbilled_ms) == (NOW_MS - OPEN_FROM_MS, {})
    assert session.billed_wei == 10**14 * (NOW_MS - OPEN_FROM_MS) // 60_000


def test_power_is_metered_from_the_last_reading_there(env: ImportFixture) -> None:
    env.take_over()
    read_at_ms = parse_time("2026-01-31T11:58:30.724Z")
    power = state_of(env.store).power["orch-a"]
    assert (power.state, power.metered_from_ms, power.metered_to_ms) == ("awake", read_at_ms, read_at_ms)
    env.store.execute([Reading("orch-a", "awake", NOW_MS)])
    assert state_of(env.store).power["orch-a"].metered_from_ms == read_at_ms
    assert state_of(env.store).power["orch-a"].unbilled_ms == {"unpriced": NOW_MS - read_at_ms}


def test_second_run_changes_nothing(env: ImportFixture) -> None:
    env.take_over()
    entries, records = state_of(env.store).seq, dict(env.registry.records())
    again = env.take_over()
    assert (again.records, again.commands, again.problems) == ([], [], [])
    assert (state_of(env.store).seq, env.registry.records()) == (entries, records)


def test_same_commands_again_change_nothing(env: ImportFixture) -> None:
    """Two imports at once: each plans before the other writes."""
    first, second = env.plan(), env.plan()
    carry_out(first, env.registry, env.store)
    entries = state_of(env.store).seq
    carry_out(second, env.registry, env.store)
    assert state_of(env.store).seq == entries


def test_record_that_was_registered_after_the_plan_was_made_is_left_as_it_is(env: ImportFixture) -> None:
    plan = env.plan()
    env.registry.register({"orchestrator_id": "orch-a", "host_public_ip": "203.0.113.99"})
    carry_out(plan, env.registry, env.store)
    assert env.registry.records()["orch-a"].host_public_ip == "203.0.113.99"


def test_balance_that_was_taken_over_otherwise_after_the_plan_was_made_is_an_error(env: ImportFixture) -> None:
    plan = env.plan()
    env.store.execute([Adjustment("orch-d", 1, "livepeer-ops:opening-balance", "another import")])
    with pytest.raises(Rejected, match=r"was booked as 0\.000000000000000001 before"):
        carry_out(plan, env.registry, env.store)
    assert state_of(env.store).balance_wei("orch-d") == 1


@pytest.mark.parametrize("done", range(11))
def test_import_after_a_crash_half_way_ends_where_one_without_does(tmp_path: Path, done: int) -> None:
    """Four records are registered, then six commands recorded; the crash comes after ``done`` of these steps."""
    whole, broken = ImportFixture(tmp_path / "whole"), ImportFixture(tmp_path / "broken")
    whole.take_over()
    plan = broken.plan()
    assert len(plan.records) + len(plan.commands) == 10
    part = replace(plan, records=plan.records[:done], commands=plan.commands[: max(0, done - len(plan.records))])
    carry_out(part, broken.registry, broken.store)
    broken.clock.now_ms += 60_000
    broken.take_over()
    assert state_of(broken.store).sessions == state_of(whole.store).sessions
    assert state_of(broken.store).power == state_of(whole.store).power
    assert _owed(broken) == _owed(whole)
    assert broken.registry.attribution() == whole.registry.attribution()
    assert state_of(broken.store).seq == state_of(whole.store).seq


def test_balance_that_has_grown_since_stops_a_second_import(env: ImportFixture, tmp_path: Path) -> None:
    env.take_over()
    theirs = copy_data(tmp_path)
    edit(theirs, "balances.json", lambda balances: balances.update({"orch-d": "0.7"}))
    [problem] = env.plan(theirs).problems
    assert "0.7 is not the 0.625 that was taken over before, by entry 1; stop livepeer-ops" in problem


def test_folder_is_left_as_it_was(env: ImportFixture) -> None:
    before = {path: path.read_bytes() for path in DATA.rglob("*") if path.is_file()}
    env.take_over()
    assert {path: path.read_bytes() for path in DATA.rglob("*") if path.is_file()} == before


def _owed(env: ImportFixture) -> dict[str, int]:
    return {name: each.balance_wei for name, each in state_of(env.store).balances.items()}
