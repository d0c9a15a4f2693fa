"""Which hosts a sweep asks, in which order, and what happens without time, without a store, or at a stop."""

import socket
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from payments.clock import now_ms
from payments.domain.readings import AWAKE as IS_AWAKE
from payments.domain.readings import UNKNOWN, Reading
from payments.errors import Unavailable
from payments.store import EntryQuery
from tests.harness import free_port
from tests.worker.hosts import ASLEEP, AWAKE, Act, HostConnection, PowerHost, answers, hangs, running_host, says, slow
from tests.worker.process import register, register_urls
from tests.worker.sweeping import Sweeping, sweeping


def reading_ids(here: Sweeping) -> list[str | None]:
    """Orchestrators of the readings in the journal, oldest first."""
    page = here.store.entries(EntryQuery(), limit=200)
    return [entry.orchestrator_id for entry in reversed(page.items)]


def test_what_hosts_say_is_recorded_as_one_group(tmp_path: Path) -> None:
    with ExitStack() as hosts, sweeping(tmp_path) as here:
        urls = {
            name: hosts.enter_context(running_host(act)).url
            for name, act in {"up": AWAKE, "down": ASLEEP, "dead": hangs, "odd": says(7)}.items()
        }
        register_urls(tmp_path, **urls)
        report = here.sweep()
        power = here.power()
    assert {name: each.state for name, each in power.items()} == {
        "up": "awake", "down": "sleeping", "dead": "unknown", "odd": "unknown",
    }  # fmt: skip
    assert (power["up"].detail, power["dead"].detail, power["odd"].detail) == (
        None, "no answer in time", 'no "state" that is text',
    )  # fmt: skip
    assert (report.asked, report.awake, report.asleep, report.unknown, report.left_out) == (4, 1, 1, 2, 0)
    assert report.credited_eth == "0"


def test_nobody_to_ask_is_a_sweep_too(tmp_path: Path) -> None:
    with sweeping(tmp_path) as here:
        report = here.sweep()
    assert (report.asked, report.left_out) == (0, 0)


def test_disabled_records_and_those_without_an_address_are_not_asked(tmp_path: Path) -> None:
    with running_host(AWAKE) as host, sweeping(tmp_path, power_port=host.port) as here:
        report = here.sweep(
            {"orchestrator_id": "off", "host_public_ip": "127.0.0.1", "enabled": False},
            {"orchestrator_id": "nowhere"},
            {"orchestrator_id": "off-by-url", "power_url": host.url, "enabled": False},
        )
        assert (report.asked, host.asked, here.power()) == (0, 0, {})


def test_address_and_port_are_asked_for_power(tmp_path: Path) -> None:
    with running_host(AWAKE, "127.0.0.7") as host, sweeping(tmp_path, power_port=host.port) as here:
        here.sweep({"orchestrator_id": "orch", "host_public_ip": "127.0.0.7"})
        assert here.power()["orch"].state == "awake"
    assert host.peers[0].request.startswith(b"GET /power HTTP/1.1\r\nHost: 127.0.0.7:%d\r\n" % host.port)
    assert b"\r\nAccept-Encoding: identity\r\n" in host.peers[0].request


def test_a_records_own_url_wins(tmp_path: Path) -> None:
    with (
        running_host(ASLEEP, "127.0.0.7") as by_address,
        running_host(AWAKE) as by_url,
        sweeping(tmp_path, power_port=by_address.port) as here,
    ):
        url = f"http://localhost:{by_url.port}/some/where?what=power"
        here.sweep({"orchestrator_id": "orch", "host_public_ip": "127.0.0.7", "power_url": url})
        assert here.power()["orch"].state == "awake"
        assert by_address.asked == 0
    assert by_url.peers[0].request.startswith(b"GET /some/where?what=power HTTP/1.1\r\n")


@pytest.mark.parametrize("where", [{"host_public_ip": "::1"}, {"power_url": "http://[::1]:%d/power"}])
def test_host_with_an_ipv6_address_is_asked(where: dict[str, str], tmp_path: Path) -> None:
    with running_host(AWAKE, "::1") as host, sweeping(tmp_path, power_port=host.port) as here:
        record = {name: value.replace("%d", str(host.port)) for name, value in where.items()}
        here.sweep({"orchestrator_id": "orch", **record})
        assert here.power()["orch"].state == "awake"
    assert b"\r\nHost: [::1]:%d\r\n" % host.port in host.peers[0].request


def test_an_edited_registry_is_in_force_in_the_next_sweep(tmp_path: Path) -> None:
    with running_host(AWAKE) as first, running_host(ASLEEP) as second, sweeping(tmp_path) as here:
        here.sweep({"orchestrator_id": "orch", "power_url": first.url})
        here.sweep(
            {"orchestrator_id": "orch", "power_url": second.url}, {"orchestrator_id": "new", "power_url": second.url}
        )
        assert {name: each.state for name, each in here.power().items()} == {"orch": "sleeping", "new": "sleeping"}
        here.sweep({"orchestrator_id": "new", "power_url": first.url})
    assert (first.asked, second.asked) == (2, 2)


def test_those_that_answer_do_not_wait_for_dead_ones(tmp_path: Path) -> None:
    """More dead hosts than are asked at once, all before the live one in the registry."""
    with running_host(hangs) as dead, running_host(AWAKE) as live, sweeping(tmp_path, power_concurrency=2) as here:
        urls = {f"dead-{number}": dead.url for number in range(3)} | {"live": live.url}
        states = [*((f"dead-{number}", UNKNOWN) for number in range(3)), ("live", IS_AWAKE)]
        here.store.execute([Reading(name, state, now_ms() - 60_000) for name, state in states])
        begun_ms = now_ms()
        power = here.sweep_urls(**urls)
    assert power["live"].read_at_ms - begun_ms < 500
    assert min(power[f"dead-{number}"].read_at_ms for number in range(3)) - begun_ms >= 1000


def test_with_one_at_a_time_those_that_answer_come_first(tmp_path: Path) -> None:
    order: list[str] = []

    def told(name: str, act: Act) -> Act:
        def acts(peer: HostConnection) -> None:
            order.append(name)
            act(peer)

        return acts

    with ExitStack() as hosts, sweeping(tmp_path, power_concurrency=1) as here:
        bad = answers(b"?")
        acts = {"a-dead": bad, "b-live": AWAKE, "c-dead": bad, "d-asleep": ASLEEP}
        urls = {name: hosts.enter_context(running_host(told(name, act))).url for name, act in acts.items()}
        here.sweep_urls(**urls)
        here.sweep()
    assert order[:4] == ["a-dead", "b-live", "c-dead", "d-asleep"]
    assert order[4:] == ["b-live", "d-asleep", "a-dead", "c-dead"]


def test_hosts_for_whom_there_was_no_time_have_no_reading_and_come_first_the_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = {f"o-{number}" for number in range(9)}
    with (
        running_host(AWAKE) as host,
        sweeping(tmp_path, power_concurrency=1, power_poll_s=2, power_timeout_s=1) as here,
    ):
        here.sweep(*({"orchestrator_id": name, "power_url": host.url} for name in sorted(names)))
        host.act = slow(AWAKE, 0.7)
        report = here.sweep()
        left_out = names - set(reading_ids(here)[9:])
        assert 1 <= report.asked < 9
        assert (report.awake, report.left_out) == (report.asked, len(left_out))
        assert f"{report.left_out} orchestrators were not asked within 2 s; raise PAYMENTS_POWER_CONC" in caplog.text
        host.act = AWAKE
        here.sweep()
        assert set(reading_ids(here)[9 + report.asked :][: len(left_out)]) == left_out


def test_a_sweep_ends_in_time_though_a_names_look_up_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up cannot be cancelled. Its host is unknown, and the others are recorded."""
    real, ending = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: str, *rest: object, **options: object) -> object:
        if host == "slow.example":
            ending.wait(30)
            raise socket.gaierror
        return real(host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with running_host(AWAKE) as host, sweeping(tmp_path, power_poll_s=1, power_timeout_s=1) as here:
            begun_s = time.monotonic()
            power = here.sweep_urls(slow="http://slow.example/power", live=host.url)
            assert time.monotonic() - begun_s < here.sweeper.longest_s + 1
            ending.set()
    finally:
        ending.set()
    assert (power["slow"].state, power["slow"].detail) == ("unknown", "no answer in time")
    assert power["live"].state == "awake"


def test_unavailable_store_fails_the_sweep_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Readings recorded after the store is back say nothing about the time before."""
    with running_host(AWAKE) as host, sweeping(tmp_path, power_max_gap_s=180) as here:
        here.sweep({"orchestrator_id": "orch", "power_url": host.url})
        journal = here.settings.ledger_journal_path
        journal.rename(journal.with_name("away"))
        with pytest.raises(Unavailable):
            here.sweeper.sweep()
        journal.with_name("away").rename(journal)
        assert here.sweep().awake == 1
    assert host.asked >= 2


@pytest.mark.parametrize("act", [hangs, slow(AWAKE, 0.5)], ids=["dead", "slow"])
def test_stopping_ends_a_sweep_early_and_records_nothing(act: Act, tmp_path: Path) -> None:
    with closing(PowerHost(act)) as host, sweeping(tmp_path, power_concurrency=2, power_timeout_s=2) as here:
        here.sweep({"orchestrator_id": "first", "power_url": f"http://127.0.0.1:{free_port()}"})
        recorded = reading_ids(here)
        begun_s = time.monotonic()
        stop = threading.Timer(0.3, here.stopping.set)
        stop.start()
        register(tmp_path, *({"orchestrator_id": f"o-{number}", "power_url": host.url} for number in range(200)))
        assert here.sweeper.sweep() is None
        assert time.monotonic() - begun_s < 3.5
        stop.join()
        assert reading_ids(here) == recorded == ["first"]
    assert host.asked <= 6


def test_a_defect_in_asking_one_host_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the resolver stands for one of our own."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: object, **options: object) -> object:
        if host == "odd.example":
            raise AssertionError(host)
        return real(host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with running_host(AWAKE) as host, sweeping(tmp_path) as here:
        power = here.sweep_urls(odd="http://odd.example/power", live=host.url)
    assert power["odd"].detail == "a defect in Payments; its log has more"
    assert power["live"].state == "awake"
    assert "asking odd failed" in caplog.text


def test_another_workers_readings_count(tmp_path: Path) -> None:
    """Its reading of a moment ago is not paid again, though this sweep began earlier."""
    with running_host(AWAKE) as host, sweeping(tmp_path, power_rate_wei_per_minute=60_000) as here:
        record = {"orchestrator_id": "orch", "power_url": host.url}
        here.sweep(record)
        first_ms = here.power()["orch"].read_at_ms
        here.store.execute([Reading("orch", IS_AWAKE, first_ms + 10_000)])
        here.sweep()
        power = here.power()["orch"]
    assert (power.billed_ms, power.billed_wei, power.no_credit) == (10_000, 10_000, "clock")
    assert UNKNOWN not in power.unbilled_ms
