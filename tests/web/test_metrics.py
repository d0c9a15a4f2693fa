"""``GET /metrics``."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.harness import ROOT, Server, Service, until
from tests.web.api import Api, running_api
from tests.web.helpers import BATCH, an_event, post_admin, post_event, samples, scrape, send


def value(server: Service, name: str, **labels: str) -> float:
    return samples(scrape(server)).get((name, frozenset(labels.items())), 0.0)


def test_events_are_counted_by_kind_and_outcome_over_all_processes(shared_server: Server) -> None:
    expected = {
        ("start", "recorded"): 1, ("start", "duplicate"): 19, ("end", "recorded"): 1, ("end", "duplicate"): 1,
        ("unreadable", "invalid"): 2, ("heartbeat", "rejected"): 1, ("heartbeat", "recorded"): 0,
    }  # fmt: skip

    def counts() -> Counter[tuple[str, str]]:
        name, found = "payments_events_total", samples(scrape(shared_server))
        labels = {key: frozenset({"event": key[0], "outcome": key[1]}.items()) for key in expected}
        return Counter({key: int(found.get((name, labels[key]), 0)) for key in expected})

    shared_server.register()
    before = counts()
    for _ in range(20):
        assert post_event(shared_server, an_event("s-1", event_id="e-1")).status == 200
    batch = [an_event("s-2", "end"), an_event("s-2", "end"), {}, {"session_id": "s-3"}]
    post_event(shared_server, batch, BATCH)
    post_event(shared_server, {})
    after = counts()
    assert {key: after[key] - before[key] for key in expected} == expected


def test_commits_are_counted_with_their_size(api: Api) -> None:
    before, entries = (value(api, f"payments_commit_entries_{part}") for part in ("count", "sum"))
    post_event(api, [an_event(f"commit-{number}") for number in range(7)], BATCH)
    assert value(api, "payments_commit_entries_count") == before + 1
    assert value(api, "payments_commit_entries_sum") == entries + 7
    assert value(api, "payments_commit_seconds_count") == before + 1
    assert value(api, "payments_lock_wait_seconds_count") == before + 1


def test_requests_are_timed_by_pattern_and_never_by_what_a_client_says(api: Api) -> None:
    session = {"method": "GET", "route": "/api/sessions/{session_id}", "status": "4xx"}
    nowhere = {"method": "any", "route": "unmatched", "status": "4xx"}

    def counts() -> list[float]:
        return [value(api, "payments_http_request_seconds_count", **labels) for labels in (session, nowhere)]

    before = counts()
    for path in ("/api/sessions/secret-1", "/nowhere/secret-2", "/api/orchestrators/secret-3"):
        send(api, "GET", path, token=api.VIEWER)
        send(api, "SECRET-4", path, token=api.VIEWER)
    assert "secret" not in scrape(api).lower()
    assert counts() == [before[0] + 1, before[1] + 4]


def test_state_is_that_of_the_store(tmp_path: Path) -> None:
    with running_api(tmp_path) as api:
        api.register()
        start = {"occurred_at": "2026-01-01T00:00:00Z"}
        post_event(api, an_event("paid", **start))
        post_event(api, an_event("stray", upstream_addr="9.9.9.9"))
        for kind, field, key in (("adjustments", "reference", "r-1"), ("payouts", "tx_hash", f"0x{'0' * 64}")):
            booking = {"orchestrator_id": "orch-a", "amount": "2", field: key, "note": "n"}
            assert post_admin(api, "POST", f"/api/ledger/{kind}", booking).status == 200
        assert value(api, "payments_sessions_unattributed") == 1
        assert value(api, "payments_credited_eth", reason="adjustment") == 2
        assert value(api, "payments_credited_eth", reason="payout") == -2
        entries = api.get("/api/ledger/events", limit=1)["events"]
        assert value(api, "payments_journal_entries") == entries[0]["seq"]
        owed = sum(float(each["balance"]) for each in api.get("/api/ledger/balances")["balances"])
        assert value(api, "payments_owed_eth") == pytest.approx(owed)
        assert value(api, "payments_credited_eth", reason="session_time") == pytest.approx(owed)


def test_counts_outlive_the_worker_that_made_them(shared_server: Server) -> None:
    def starts() -> float:
        return value(shared_server, "payments_events_total", event="start", outcome="recorded")

    before = starts()
    post_event(shared_server, an_event("outlive-1"))
    workers = shared_server.workers()
    shared_server.process.send_signal(signal.SIGHUP)
    until(lambda: not set(workers) & set(shared_server.workers()) and len(shared_server.workers()) == 2)
    shared_server.wait_ready()
    post_event(shared_server, an_event("outlive-2"))
    assert starts() == before + 2


in_memory = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="the folder is elsewhere")


def folder_of(server: Server) -> Path:
    return next(Path("/dev/shm").glob(f"payments-metrics-{server.process.pid}-*"))


@in_memory
def test_worker_that_is_just_starting_does_no_harm(shared_server: Server) -> None:
    """It makes its file first, and fills it then."""
    empty = folder_of(shared_server) / "counter_0.db"
    empty.touch()
    assert "payments_events_total" in scrape(shared_server)
    empty.unlink()


@in_memory
def test_folder_of_the_counters_goes_with_the_server_or_with_the_next_one(server: Server) -> None:
    left = folder_of(server)
    workers = server.workers()
    server.stop(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    # A server that another test starts meanwhile may have cleared it away already.
    server.start()
    assert not left.exists()
    kept = folder_of(server)
    assert server.stop() == 0
    assert not kept.exists()


METRICS_FOLDER = """
import runpy, sys
from pathlib import Path
conf = runpy.run_path(sys.argv[1])
conf["on_exit"](None)
print(conf["_metrics_folder"](Path(sys.argv[2])))
"""


@pytest.mark.processes
def test_what_others_lay_beside_the_counters_is_neither_waited_for_nor_removed(tmp_path: Path) -> None:
    """Anybody may write to /dev/shm. Here it is another folder, for servers of other tests look into that one."""
    ours, shared = tmp_path / "ours", tmp_path / "shared"
    fifo, link, theirs, left = (shared / f"payments-metrics-{name}" for name in ("fifo", "link", "theirs", "left"))
    for each in (ours, shared, fifo, link, theirs, left):
        each.mkdir()
    os.mkfifo(fifo / "held")
    (ours / "held").touch()
    (link / "held").symlink_to(ours / "held")
    (shared / "payments-metrics-folder").symlink_to(ours)
    (left / "held").touch()
    if os.geteuid() == 0:
        (theirs / "held").touch()
        os.chown(theirs, 65534, 65534)
    run = subprocess.run(
        [sys.executable, "-c", METRICS_FOLDER, ROOT / "deploy" / "gunicorn.conf.py", shared],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PAYMENTS_DATA_DIR": str(tmp_path / "data")},
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert run.stderr == ""
    laid = {fifo, link, theirs, shared / "payments-metrics-folder"}
    assert set(shared.iterdir()) == laid | {Path(run.stdout.strip())}
    assert all(map(os.path.lexists, (fifo / "held", link / "held", ours / "held")))


def test_storage_that_fails_shows_and_all_else_is_still_scraped(tmp_path: Path) -> None:
    failed = {"method": "POST", "route": "/api/sessions/events", "status": "5xx"}
    name = "payments_http_request_seconds_count"
    with running_api(tmp_path) as api:
        before = value(api, name, **failed)
        assert value(api, "payments_store_usable") == 1
        api.halt()
        assert post_event(api, an_event("s-1")).status == 503
        assert value(api, "payments_store_usable") == 0
        assert value(api, "payments_registry_sound") == 1
        assert value(api, name, **failed) == before + 1


def test_without_a_folder_one_process_counts_in_memory(api: Api) -> None:
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
    before = value(api, "payments_events_total", event="start", outcome="recorded")
    assert post_event(api, an_event("in-memory")).status == 200
    assert value(api, "payments_events_total", event="start", outcome="recorded") == before + 1
