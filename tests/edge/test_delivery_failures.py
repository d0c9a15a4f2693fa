"""Without a final answer, events are kept and sent again, and the log says why."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from payments.domain.sessions import END, HEARTBEAT, START
from tests.edge.conftest import EdgeLog
from tests.edge.deliveries import all_is_delivered, dead_letters
from tests.edge.edge import EdgeLife, edge
from tests.edge.stand_in import CUT, Handler, Misbehaviour, ReceivedCall, StandIn, StandInReply, lost, refusal
from tests.harness import free_port, state_of

AWAY: dict[str, Misbehaviour] = {
    "500": refusal(500, "internal"),
    "502": StandInReply(502, b"<html>Bad Gateway</html>"),
    "503": refusal(503, "unavailable"),
    "429": refusal(429, "invalid"),
    "408": StandInReply(408),
    "cut": StandInReply(CUT),
    "answer lost": lost,
}

ELSEWHERE: dict[str, Misbehaviour] = {
    "404": refusal(404, "not-found"),
    "405": refusal(405, "method-not-allowed"),
    "301": StandInReply(301, b"", (("Location", "http://127.0.0.1:9/"),)),
    "307": StandInReply(307, b"", (("Location", "/api/sessions/events/batch"),)),
    "409": StandInReply(409),
    "204": StandInReply(204),
    "a page": StandInReply(200, b"<html>Welcome</html>"),
    "no results": StandInReply(200, b"{}"),
    "too few results": StandInReply(200, b'{"results":[{"session_id":"x","outcome":"recorded"}]}'),
    "results of others": lambda call, _: StandInReply(
        200, json.dumps({"results": [{"session_id": "x", "outcome": "recorded"} for _ in call.items]}).encode()
    ),
    "results that say nothing": lambda call, _: StandInReply(
        200, json.dumps({"results": [{} for _ in call.items]}).encode()
    ),
    "twice a name": StandInReply(200, b'{"results":[],"results":[]}'),
    "nested": StandInReply(200, b"[" * 100_000),
}

TOKEN: dict[str, Misbehaviour] = {"401": refusal(401, "unauthenticated"), "403": refusal(403, "forbidden")}


@pytest.mark.parametrize("name", [*AWAY, *ELSEWHERE, *TOKEN])
def test_events_are_kept_and_sent_again_whatever_comes_back(
    name: str, life: EdgeLife, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.script.extend([{**AWAY, **ELSEWHERE, **TOKEN}[name]] * 3)
    all_is_delivered(life, stand_in)
    assert life.delivery.error is None
    assert dead_letters(life) == []


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        pytest.param(AWAY["500"], "WARNING {}: answers 500 (said by this test); events are kept and", id="500"),
        pytest.param(AWAY["502"], "WARNING {}: answers 502; events are kept and sent again later", id="502"),
        pytest.param(AWAY["cut"], "WARNING {}: no answer (RemoteDisconnected); events are kept and", id="cut"),
        pytest.param(
            ELSEWHERE["404"],
            "ERROR {} answers 404, and not as Payments does: is PAYMENTS_API_URL right? Events are kept and",
            id="404",
        ),
        pytest.param(ELSEWHERE["301"], "ERROR {} answers 301, and not as Payments does: is PAY", id="301"),
        pytest.param(ELSEWHERE["a page"], "ERROR {} answers 200, and not as Payments does: is PAY", id="page"),
        pytest.param(
            TOKEN["401"],
            "ERROR {} answers 401 (said by this test): it does not take the PAYMENTS_SESSION_TOKEN of this ",
            id="401",
        ),
        pytest.param(TOKEN["403"], "ERROR {} answers 403 (said by this test): it does not", id="403"),
    ],
)
def test_failure_is_logged_once_then_every_five_minutes_and_so_is_its_end(
    answers: Misbehaviour, line: str, life: EdgeLife, stand_in: StandIn, said: EdgeLog
) -> None:
    stand_in.always = answers
    life.begin()
    life.write()
    begun_ms = life.clock.now_ms
    while life.clock.now_ms < begun_ms + 590_000:
        wait_s = life.delivery.step()
        assert wait_s is not None
        assert life.delivery.error is not None
        life.clock.now_ms += round(wait_s * 1000)
    assert [" ".join(each).startswith(line.format(stand_in.url)) for each in said.lines] == [True, True]
    stand_in.always = None
    life.deliver()
    assert said.lines[2:] == [("INFO", f"{stand_in.url} takes events again")]


def test_refused_connection_is_named(tmp_path: Path, said: EdgeLog) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with edge(tmp_path / "spool", url) as life:
        life.begin()
        life.write()
        life.delivery.step()
        assert life.delivery.error == f"{url}: no connection (Connection refused)"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("http://payments.invalid", r"no connection|no answer", id="no-such-name"),
        pytest.param("http://x..y", "no ", id="no-name"),
        pytest.param("https://{}", "no TLS connection|no answer|no connection", id="no-tls"),
    ],
)
def test_an_address_that_does_not_do_is_trouble_and_no_defect(
    url: str, why: str, tmp_path: Path, stand_in: StandIn
) -> None:
    with edge(tmp_path / "spool", url.format(stand_in.url.partition("//")[2])) as life:
        life.begin()
        life.write()
        assert life.delivery.step() is not None
        assert life.delivery.error is not None
        assert any(each in life.delivery.error for each in why.split("|"))


def test_waits_double_up_to_half_a_minute_and_restart_after_a_success(life: EdgeLife, stand_in: StandIn) -> None:
    life.begin()
    life.write()
    stand_in.script.extend([refusal(500)] * 9)
    waits = [life.delivery.step() for _ in range(10)]
    assert waits == [0.375, 0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5, 22.5, 0.2]
    life.begin()
    life.write()
    stand_in.script.append(refusal(500))
    assert life.delivery.step() == 0.375


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        pytest.param("7", 7.35, id="seconds"),
        pytest.param("Fri, 15 Jan 2027 08:00:10 GMT", 10.5, id="date"),
        pytest.param("0", 0.525, id="at-once"),
        pytest.param("Fri, 15 Jan 2027 07:00:00 GMT", 0.525, id="past"),
        pytest.param("86400", 315.0, id="a-day"),
        pytest.param("Sat, 16 Jan 2027 08:00:00 GMT", 315.0, id="tomorrow"),
        pytest.param("soon", 0.375, id="nonsense"),
        pytest.param("-1", 0.375, id="negative"),
        pytest.param("9" * 400, 0.375, id="too-many-digits"),
        pytest.param("Fri, 99 Jan 2027 08:00:10 GMT", 0.375, id="no-date"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_in_both_forms_and_within_bounds(
    status: int, told: str, wait_s: float, life: EdgeLife, stand_in: StandIn
) -> None:
    life.begin()
    life.write()
    stand_in.script.append(refusal(status, "unavailable", Retry_After=told))
    assert life.delivery.step() == pytest.approx(wait_s)
    assert life.delivery.step() == 0.2


def test_the_order_is_kept_over_failures_and_nothing_is_in_flight_twice(life: EdgeLife, stand_in: StandIn) -> None:
    session = life.begin()
    life.write()
    stand_in.script.append(refusal(500))
    life.delivery.step()
    life.pass_s(60)
    session.end()
    life.write()
    stand_in.script.extend([lost, StandInReply(CUT), lost])
    life.deliver()
    assert stand_in.kinds(session.session_id) == [START, *[HEARTBEAT] * 4, END]
    seqs = [each.event["seq"] for each in stand_in.of(session.session_id) if each.outcome == "recorded"]
    assert seqs == [1, 2, 3, 4, 5, 6]
    assert {each.outcome for each in stand_in.of(session.session_id)} == {"recorded", "duplicate", "late"}
    assert state_of(stand_in.store).sessions[session.session_id].billed_ms == 60_000


def trouble_over(answer: Callable[[Handler, threading.Event], object], folder: Path, stand_in: StandIn) -> str | None:
    """The error for an ``answer`` that goes on until its event is set; the next answer is in time."""
    stop = threading.Event()

    def slowly(call: ReceivedCall, handler: Handler) -> StandInReply:
        answer(handler, stop)
        return StandInReply(CUT)

    stand_in.script.append(slowly)
    with edge(folder / "spool", stand_in.url) as life:
        life.begin()
        life.write()
        try:
            assert life.delivery.step(timeout_s=0.3) == 0.375
        finally:
            stop.set()
        trouble = life.delivery.error
        life.deliver()
    return trouble


def test_an_answer_without_an_end_is_given_up(tmp_path: Path, stand_in: StandIn) -> None:
    def drip(handler: Handler, stop: threading.Event) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.05):
            handler.wfile.write(b" ")

    assert trouble_over(drip, tmp_path, stand_in) == f"{stand_in.url}: answer incomplete at time-out"


def test_silence_is_given_up(tmp_path: Path, stand_in: StandIn) -> None:
    def hang(_: Handler, stop: threading.Event) -> None:
        stop.wait(30)

    assert trouble_over(hang, tmp_path, stand_in) == f"{stand_in.url}: no answer in time"


def test_an_answer_that_is_too_large_is_not_read(life: EdgeLife, stand_in: StandIn) -> None:
    stand_in.script.append(StandInReply(200, b" " * (5 << 20)))
    life.begin()
    life.write()
    assert life.delivery.step() == 0.375
    assert life.delivery.error == f"{stand_in.url}: answer exceeds 4194304 bytes"
    life.deliver()


def test_a_refusal_cannot_write_lines_into_the_log(life: EdgeLife, stand_in: StandIn, said: EdgeLog) -> None:
    body = json.dumps({"detail": "one\ntwo\x1b[31m" + "x" * 1000}).encode()
    stand_in.script.append(StandInReply(401, body))
    life.begin()
    life.write()
    life.delivery.step()
    ((_, line),) = said.lines
    assert line.isprintable()
    assert len(line) < 500
