"""``GET /metrics``."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from payments.settings import Settings
from payments.web import create_app
from payments.web.services import close_store
from tests.harness import ROOT, Server, until
from tests.web.helpers import BATCH, an_event, post_admin, post_event, samples, scrape, send


def value(server: Server, name: str, **labels: str) -> float:
    return samples(scrape(server)).get((name, frozenset(labels.items())), 0.0)


def test_events_are_counted_by_kind_and_outcome_over_all_processes(shared_server: Server) -> None:
    shared_server.register()
    for _ in range(20):
        assert post_event(shared_server, an_event("s-1", event_id="e-1")).status == 200
    post_event(shared_server, [an_event("s-2", "end"), an_event("s-2", "end"), {}, {"session_id": "s-3"}], BATCH)
    post_event(shared_server, {})
    expected = {
        ("start", "recorded"): 1, ("start", "duplicate"): 19, ("end", "recorded"): 1, ("end", "duplicate"): 1,
        ("unreadable", "invalid"): 2, ("heartbeat", "rejected"): 1, ("heartbeat", "recorded"): 0,
    }  # fmt: skip
    name = "payments_events_total"
    assert {key: value(shared_server, name, event=key[0], outcome=key[1]) for key in expected} == expected


def test_commits_are_counted_with_their_size(shared_server: Server) -> None:
    before, entries = (value(shared_server, f"payments_commit_entries_{part}") for part in ("count", "sum"))
    post_event(shared_server, [an_event(f"commit-{number}") for number in range(7)], BATCH)
    assert value(shared_server, "payments_commit_entries_count") == before + 1
    assert value(shared_server, "payments_commit_entries_sum") == entries + 7
    assert value(shared_server, "payments_commit_seconds_count") == before + 1
    assert value(shared_server, "payments_lock_wait_seconds_count") == before + 1


def test_requests_are_timed_by_pattern_and_never_by_what_a_client_says(shared_server: Server) -> None:
    for path in ("/api/sessions/secret-1", "/nowhere/secret-2", "/api/orchestrators/secret-3"):
        send(shared_server, "GET", path, token=shared_server.VIEWER)
        send(shared_server, "SECRET-4", path, token=shared_server.VIEWER)
    text = scrape(shared_server)
    assert "secret" not in text.lower()
    found = samples(text)
    name = "payments_http_request_seconds_count"
    session = {"method": "GET", "route": "/api/sessions/{session_id}", "status": "4xx"}
    nowhere = {"method": "any", "route": "unmatched", "status": "4xx"}
    assert found[name, frozenset(session.items())] == 1
    assert found[name, frozenset(nowhere.items())] == 4


def test_state_is_what_all_processes_share(shared_server: Server) -> None:
    shared_server.register()
    start = {"occurred_at": "2026-01-01T00:00:00Z"}
    post_event(shared_server, an_event("paid", **start))
    post_event(shared_server, an_event("stray", upstream_addr="9.9.9.9"))
    for kind, field, key in (("adjustments", "reference", "r-1"), ("payouts", "tx_hash", f"0x{'0' * 64}")):
        booking = {"orchestrator_id": "orch-a", "amount": "2", field: key, "note": "n"}
        assert post_admin(shared_server, "POST", f"/api/ledger/{kind}", booking).status == 200
    assert value(shared_server, "payments_sessions_unattributed") == 1
    assert value(shared_server, "payments_credited_eth", reason="adjustment") == 2
    assert value(shared_server, "payments_credited_eth", reason="payout") == -2
    entries = shared_server.get("/api/ledger/events", limit=1)["events"]
    assert value(shared_server, "payments_journal_entries") == entries[0]["seq"]
    owed = sum(float(each["balance"]) for each in shared_server.get("/api/ledger/balances")["balances"])
    assert value(shared_server, "payments_owed_eth") == pytest.approx(owed)
    assert value(shared_server, "payments_credited_eth", reason="session_time") == pytest.approx(owed)


def test_counts_outlive_the_worker_that_made_them(server: Server) -> None:
    post_event(server, an_event("s-1"))
    workers = server.workers()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: not set(workers) & set(server.workers()) and len(server.workers()) == 2)
    server.wait_ready()
    post_event(server, an_event("s-2"))
    assert value(server, "payments_events_total", event="start", outcome="recorded") == 2


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


def test_storage_that_fails_shows_and_all_else_is_still_scraped(server: Server) -> None:
    assert value(server, "payments_store_usable") == 1
    server.halt()
    assert post_event(server, an_event("s-1")).status == 503
    found = samples(scrape(server))
    assert found["payments_store_usable", frozenset()] == 0
    assert found["payments_registry_sound", frozenset()] == 1
    failed = {"method": "POST", "route": "/api/sessions/events", "status": "5xx"}
    assert found["payments_http_request_seconds_count", frozenset(failed.items())] == 1


def test_without_a_folder_one_process_counts_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setenv("PAYMENTS_DATA_DIR", str(tmp_path))
    app = create_app(Settings.load(tmp_path / "none"))
    client = app.test_client()

    def count() -> float:
        found = samples(client.get("/metrics").get_data(as_text=True))
        return found["payments_events_total", frozenset({"event": "start", "outcome": "recorded"}.items())]

    before = count()
    assert client.post("/api/sessions/events", json=an_event("s-1")).status_code == 200
    assert count() == before + 1
    close_store(app)
