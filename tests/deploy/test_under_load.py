"""Reloads, deaths and upgrades behind nginx while edges report: edges' answers and the journal."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.deploy.proxy import Proxied, running_behind_proxy
from tests.harness import until
from tests.system.load import EDGES, EdgeLoad, check, faults, load

pytestmark = pytest.mark.long


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Proxied]:
    with running_behind_proxy(tmp_path) as server:
        server.register()
        yield server


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def failures(sent: EdgeLoad) -> int:
    """Requests without an answer, or answered by nginx instead of Payments."""
    return sent.broken + sent.refused.total()


def test_reloads_fail_no_request(behind: Proxied) -> None:
    with load(behind) as sent:
        for _ in range(faults(3)):
            before = children(behind.process.pid)
            behind.process.send_signal(signal.SIGHUP)
            until(lambda old=before: not old & children(behind.process.pid))  # type: ignore[misc]
            sent.goes_on(50)
    assert failures(sent) == 0
    check(behind, sent)


def test_worker_that_is_killed_fails_only_what_it_has_in_its_hands(behind: Proxied) -> None:
    deaths = faults(5)
    with load(behind) as sent:
        for _ in range(deaths):
            until(lambda: len(children(behind.process.pid)) == 2)
            os.kill(min(children(behind.process.pid)), signal.SIGKILL)
            sent.goes_on(50)
    assert failures(sent) <= deaths * EDGES
    check(behind, sent)


def test_upgrade_in_which_two_servers_overlap_fails_no_request(behind: Proxied) -> None:
    """gunicorn's upgrade: SIGUSR2 starts a second master on the same socket, SIGTERM ends the first."""
    with ExitStack() as stack:
        with load(behind) as sent:
            sent.goes_on(50)
            master = stack.enter_context(second_master(behind))
            sent.goes_on(50)
            assert behind.stop() == 0
            sent.goes_on(50)
            assert len(children(master)) == 2
        assert failures(sent) == 0
        check(behind, sent)


@contextmanager
def second_master(server: Proxied) -> Iterator[int]:
    """Process id of a second master of ``server``, with serving workers; stopped at the end."""
    workers = children(server.process.pid)
    server.process.send_signal(signal.SIGUSR2)
    until(lambda: bool(children(server.process.pid) - workers))
    (master,) = children(server.process.pid) - workers
    try:
        until(lambda: server.log.read_text().count("Booting worker") == 4)
        yield master
    finally:
        os.kill(master, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{master}").exists() or _is_dead(master))


def _is_dead(pid: int) -> bool:
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
