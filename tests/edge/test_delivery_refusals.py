"""Payments rejects an event, or a whole batch because of one: it becomes a dead letter, and the others are sent."""

import json

import pytest

from payments.domain.sessions import END, START
from tests.edge.conftest import EdgeLog
from tests.edge.deliveries import dead_letters
from tests.edge.edge import EdgeLife
from tests.edge.stand_in import MANY, ONE, Handler, ReceivedCall, StandIn, StandInReply, refusal, whole_refusal


def test_a_batch_that_is_too_large_is_split_until_it_is_not(life: EdgeLife, stand_in: StandIn) -> None:
    sessions = [life.begin() for _ in range(100)]
    life.write()
    stand_in.always = whole_refusal(413, lambda items: len(items) > 30)
    life.deliver()
    assert [stand_in.kinds(each.session_id) for each in sessions] == [[START]] * 100
    assert max(len(call.items) for call in stand_in.calls[3:]) <= 50
    assert dead_letters(life) == []
    stand_in.always = None
    for _ in range(600):
        life.begin()
    life.write()
    life.deliver()
    assert max(len(call.items) for call in stand_in.calls) > 100


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_an_event_for_which_whole_bodies_are_refused_is_found_and_set_aside_and_the_others_go_on(
    status: int, life: EdgeLife, stand_in: StandIn, said: EdgeLog
) -> None:
    sessions = [life.begin() for _ in range(20)]
    bad = sessions[7].session_id
    life.write()
    sessions[7].end()
    sessions[8].end()
    life.write()
    stand_in.always = whole_refusal(status, lambda items: any(each["session_id"] == bad for each in items))
    life.deliver()
    assert [stand_in.kinds(each.session_id) for each in sessions] == [
        [] if number == 7 else [START, END] if number == 8 else [START] for number in range(20)
    ]
    (first, second) = dead_letters(life)
    assert first["reason"] == f"{status}: said by this test"
    assert [each["event"]["event"] for each in (first, second)] == [START, END]
    assert (life.spool.dead_letters, life.spool.delivered, life.spool.pending) == (2, 20, 0)
    (line,) = [line for line in said.lines if "has refused" in line[1]]
    assert line == (
        "ERROR",
        f"{stand_in.url} has refused 1 events for good; ps-gateway spool lists these dead letters; "
        f"the first: {first['reason']}",
    )


@pytest.mark.parametrize("status", [400, 415, 422])
def test_server_that_rejects_everything_makes_no_dead_letters(
    status: int, life: EdgeLife, stand_in: StandIn, said: EdgeLog
) -> None:
    """Plain HTTP to a TLS port: nginx answers 400 to each event, though no event is faulty."""
    sessions = [life.begin() for _ in range(5)]
    life.write()
    stand_in.always = refusal(status, "malformed")
    for _ in range(20):
        assert life.delivery.step() is not None
    assert life.spool.pending == 5
    assert dead_letters(life) == []
    assert said.lines[0][0] == "ERROR"
    assert "is PAYMENTS_API_URL right?" in said.lines[0][1]
    stand_in.always = None
    life.deliver()
    assert [stand_in.kinds(each.session_id) for each in sessions] == [[START]] * 5
    assert dead_letters(life) == []


def test_an_item_that_is_refused_is_set_aside_with_what_is_wrong(life: EdgeLife, stand_in: StandIn) -> None:
    sessions = [life.begin() for _ in range(3)]
    stand_in.refused.add(sessions[1].session_id)
    life.write()
    life.deliver()
    assert [call.path for call in stand_in.calls] == [MANY]
    (letter,) = dead_letters(life)
    assert letter == {
        "reason": "422: see errors: session_id; session_id: Refused by this test.",
        "event": stand_in.of(sessions[1].session_id)[0].event,
    }
    assert stand_in.kinds(sessions[2].session_id) == [START]


def test_an_item_that_cannot_be_taken_now_is_sent_again_with_those_behind_it(life: EdgeLife, stand_in: StandIn) -> None:
    sessions = [life.begin() for _ in range(3)]
    life.write()

    def partly(call: ReceivedCall, handler: Handler) -> StandInReply:
        results = json.loads(stand_in.decide(call._replace(items=call.items[:1])).body)["results"]
        later = [{"session_id": each["session_id"], "problem": {"status": 503}} for each in call.items[1:]]
        return StandInReply(200, json.dumps({"results": results + later}).encode())

    stand_in.script.append(partly)
    assert life.delivery.step() == 0.2
    assert life.spool.pending == 2
    stand_in.script.append(
        StandInReply(
            200,
            json.dumps(
                {"results": [{"session_id": each.session_id, "problem": {"status": 500}} for each in sessions[1:]]}
            ).encode(),
        )
    )
    assert life.delivery.step() == 0.375
    life.deliver()
    assert [stand_in.kinds(each.session_id) for each in sessions] == [[START]] * 3
    assert dead_letters(life) == []


def test_events_are_sent_one_by_one_to_the_call_for_one(life: EdgeLife, stand_in: StandIn) -> None:
    for _ in range(3):
        life.begin()
    life.write()
    stand_in.script.append(refusal(422))
    life.deliver()
    life.begin()
    life.write()
    life.deliver()
    assert [(call.path, len(call.items)) for call in stand_in.calls] == [
        (MANY, 3), (MANY, 0), (ONE, 1), (ONE, 1), (ONE, 1), (MANY, 1),
    ]  # fmt: skip


def test_failure_while_sending_one_by_one_probes_again(life: EdgeLife, stand_in: StandIn) -> None:
    for _ in range(3):
        life.begin()
    life.write()
    stand_in.script.extend(
        [refusal(422), lambda *_: None, lambda *_: None, refusal(401), refusal(400), StandInReply(200)]
    )
    for _ in range(20):
        if life.delivery.step() is None:
            break
    assert [(call.path, len(call.items)) for call in stand_in.calls] == [
        (MANY, 3), (MANY, 0), (ONE, 1), (ONE, 1), (MANY, 0), (MANY, 0), (MANY, 0), (ONE, 1), (ONE, 1),
    ]  # fmt: skip
    assert life.spool.dead_letters == 0
