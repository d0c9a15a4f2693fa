"""What workers pay when they die at any moment, two work at once, or the clock steps.

``PAYMENTS_TEST_FAULTS=40`` makes forty times as many deaths. This is the campaign of two hundred, which
prints its result::

    PAYMENTS_TEST_FAULTS=40 pytest tests/system/test_worker_faults.py -rP -k worker_that_dies
"""

import random
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from payments.domain.times import read_time
from tests.harness import journal_path, until
from tests.system.load import faults
from tests.worker.hosts import AWAKE, HostConnection, PowerHost, says
from tests.worker.process import QUICK, check_power, readings, register, running_worker

pytestmark = pytest.mark.long

DEATHS, STEPS = 5, 1
MAX_GAP_S = 20
SETTINGS = {
    **QUICK,
    "PAYMENTS_POWER_MAX_GAP_SECONDS": str(MAX_GAP_S),
    "PAYMENTS_JOURNAL_SEGMENT_BYTES": "16384",
}
HOUR_S, DAY_S = 3600, 86_400
ORCHESTRATORS = 5


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Orchestrators with awake hosts, one with a host that sleeps every third time, and a correct clock."""
    turns = iter(range(10**9))

    def dozes(peer: HostConnection) -> None:
        says("sleeping" if next(turns) % 3 == 2 else "awake")(peer)

    with closing(PowerHost(AWAKE)) as awake, closing(PowerHost(dozes)) as dozing:
        urls = {f"o-{number}": awake.url for number in range(ORCHESTRATORS)} | {"dozing": dozing.url}
        register(tmp_path, *({"orchestrator_id": name, "power_url": url} for name, url in urls.items()))
        set_clock(tmp_path, 0)
        yield tmp_path


def set_clock(folder: Path, off_s: float) -> None:
    (folder / "clock.new").write_text(str(off_s))
    (folder / "clock.new").rename(folder / "clock")


def launcher(folder: Path, *dies_after_s: float) -> tuple[str, ...]:
    return ("tests.worker.launcher", str(folder / "clock"), *map(str, dies_after_s))


def die(folder: Path, seed: int, deaths: int, name: str) -> None:
    """Start one worker after another; each dies within its first moments."""
    chance = random.Random(seed)
    for _ in range(deaths):
        dies_after_s = chance.choice([chance.uniform(0, 0.06), chance.uniform(0, 0.06), chance.uniform(0, 1.3)])
        with running_worker(folder, SETTINGS, module=launcher(folder, dies_after_s), name=name) as worker:
            assert worker.process.wait(timeout=60) == -signal.SIGKILL, worker.log.read_text()


def work_for_a_while(folder: Path, times: int = 2) -> None:
    with running_worker(folder, SETTINGS, name="last") as worker:
        worker.says("sweep", times)
        assert worker.stop() == 0


def paid_ms(folder: Path, orchestrator_id: str) -> int:
    return sum(entry["metadata"]["delta_ms"] for entry in readings(folder, orchestrator_id))


def awake_ms(folder: Path, orchestrator_id: str) -> int:
    """Time between two consecutive awake readings within the maximum gap."""
    said = [
        (read_time(each["metadata"]["read_at"]), each["metadata"]["state"])
        for each in readings(folder, orchestrator_id)
    ]
    return sum(
        end_ms - begin_ms
        for (begin_ms, before), (end_ms, after) in pairwise(said)
        if before == after == "awake" and 0 < end_ms - begin_ms <= MAX_GAP_S * 1000
    )


def test_a_worker_that_dies_at_any_moment_is_paid_for_neither_twice_nor_never(folder: Path) -> None:
    deaths = faults(DEATHS)
    die(folder, 1, deaths, "worker")
    work_for_a_while(folder)
    found = check_power(folder, MAX_GAP_S * 1000)
    for number in range(ORCHESTRATORS):
        assert paid_ms(folder, f"o-{number}") == awake_ms(folder, f"o-{number}") > 500
    assert paid_ms(folder, "dozing") == awake_ms(folder, "dozing")
    sys.stdout.write(f"{deaths} deaths: {len(readings(folder))} readings, {found.balances}\n")


def test_two_workers_that_die_pay_no_moment_twice(folder: Path) -> None:
    """The active worker's lock file is unlinked at random moments, so both workers are active."""
    deaths = max(2, faults(DEATHS) // 2)
    ending = threading.Event()

    def unlink() -> None:
        lock = journal_path(folder / "data").with_name("ledger-events.log.worker.lock")
        while not ending.wait(0.05):
            lock.unlink(missing_ok=True)

    with ThreadPoolExecutor(3) as threads:
        unlinking = threads.submit(unlink)
        dying = [threads.submit(die, folder, seed, deaths, f"worker-{seed}") for seed in (2, 3)]
        for each in dying:
            each.result()
        ending.set()
        unlinking.result()
    work_for_a_while(folder)
    check_power(folder, MAX_GAP_S * 1000)
    assert paid_ms(folder, "o-0") > 500


def test_two_workers_on_duty_pay_what_one_would(folder: Path) -> None:
    with running_worker(folder, SETTINGS, name="one") as one:
        one.says("sweep")
        journal_path(folder / "data").with_name("ledger-events.log.worker.lock").unlink()
        with running_worker(folder, SETTINGS, name="two") as two:
            two.says("sweep", 2)
            one.says("sweep", 3)
            assert two.lines("another worker") == one.lines("another worker") == []
            assert (one.stop(), two.stop()) == (0, 0)
    check_power(folder, MAX_GAP_S * 1000)
    said = readings(folder, "o-0")
    first_ms, last_ms = (read_time(said[number]["metadata"]["read_at"]) for number in (0, -1))
    assert abs(paid_ms(folder, "o-0") - (last_ms - first_ms)) < 100


def test_steps_of_the_clock_pay_no_moment_twice_and_stop_nothing(folder: Path) -> None:
    """The clock steps back an hour, returns, steps forward a day, returns."""
    with running_worker(folder, SETTINGS, module=launcher(folder), name="stepped") as worker:
        worker.says("sweep", 2)
        for off_s, sweeps in [(-HOUR_S, 1), (0, 2), (DAY_S, 1), (0, 1)] * faults(STEPS):
            seen = len(worker.lines("sweep"))
            set_clock(folder, off_s)
            worker.says("sweep", seen + sweeps)
        assert len(worker.lines("the clock stepped back")) == 2 * faults(STEPS)
        assert worker.stop() == 0
    check_power(folder, MAX_GAP_S * 1000)
    said = readings(folder, "o-0")
    causes = {entry["metadata"].get("no_credit") for entry in said}
    assert causes == {None, "first_reading", "clock", "gap"}
    # The skipped day counts as accounted for, so nothing is paid until it has passed.
    assert paid_ms(folder, "o-0") < 20_000


def test_restarts_under_a_clock_that_is_off_pay_no_moment_twice(folder: Path) -> None:
    for off_s in (0, -HOUR_S, 5, 0):
        set_clock(folder, off_s)
        with running_worker(folder, SETTINGS, module=launcher(folder), name="restarted") as worker:
            until(lambda: worker.process.poll() is not None or bool(worker.lines("sweep")))
            worker.process.kill()
            worker.process.wait()
        (folder / "restarted.log").unlink()
    check_power(folder, MAX_GAP_S * 1000)


def test_workers_whose_clocks_disagree_pay_no_moment_twice(folder: Path) -> None:
    (folder / "fast").write_text("7")
    with running_worker(folder, SETTINGS, name="right") as right:
        right.says("sweep")
        journal_path(folder / "data").with_name("ledger-events.log.worker.lock").unlink()
        fast = ("tests.worker.launcher", str(folder / "fast"))
        with running_worker(folder, SETTINGS, module=fast, name="fast") as other:
            other.says("sweep", 2)
            right.says("sweep", 3)
            assert (right.stop(), other.stop()) == (0, 0)
    check_power(folder, MAX_GAP_S * 1000)
    said = readings(folder, "o-0")
    first_ms = read_time(said[0]["metadata"]["read_at"])
    last_ms = max(read_time(each["metadata"]["read_at"]) for each in said)
    assert 0 < paid_ms(folder, "o-0") <= last_ms - first_ms
