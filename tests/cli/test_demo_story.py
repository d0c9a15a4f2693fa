"""How ``payments demo`` tells entries, in words and sums; the rules make the entries."""

from payments.cli.demo.stage import Place
from payments.cli.demo.story import EntryReader
from payments.domain.ledger import Adjustment
from payments.domain.records import entry_record
from payments.domain.sessions import END, HEARTBEAT, START
from tests.domain.ledger_driver import MINUTE_WEI, LedgerDriver, at
from tests.harness import HOST_A, HOST_B, TERMS, event

PLACES = (Place("a", HOST_A, 8888), Place("b", HOST_B, 8889))
POWERED = TERMS._replace(power_rate_wei_per_minute=MINUTE_WEI // 10)


def told(ledger: LedgerDriver) -> tuple[EntryReader, list[str]]:
    """The story after all entries of ``ledger``, and its lines."""
    story = EntryReader(PLACES)
    return story, [beat.text for entry in ledger.entries for beat in story.add(entry_record(entry))]


def test_a_session_is_told_of_twice_and_with_all_that_it_has_earned() -> None:
    ledger = LedgerDriver()
    ledger.report(START, 0)
    ledger.report(HEARTBEAT, 1, streamer_id="AStreamer")
    ledger.tell(event(kind=END, at_ms=at(1) + 50))
    assert told(ledger)[1] == [
        "a viewer is connected to a (203.0.113.10): session s-1",
        "session s-1 on a (streamer AStreamer) has ended: 1.050 s earned 0.0000175 ETH",
    ]


def test_power_is_told_of_when_it_changes() -> None:
    ledger = LedgerDriver(POWERED)
    for second in (0, 10):
        ledger.read(second)
    ledger.read(20, "sleeping")
    assert told(ledger)[1] == [
        "a is awake: powered-on time earns",
        "a is sleeping: powered-on time earns nothing until it is awake",
    ]


def test_what_is_earned_is_shown_by_what_has_earned_it() -> None:
    ledger = LedgerDriver(POWERED)
    for second in (0, 60):
        ledger.read(second)
        ledger.report(HEARTBEAT, second)
    story, _ = told(ledger)
    assert story.balances() == [
        {
            "orchestrator_id": "orch-a", "host": HOST_A, "power": "awake", "viewers": 1,
            "session_time": "0.001", "power_time": "0.0001", "balance": "0.0011",
        },
        {
            "orchestrator_id": "orch-b", "host": HOST_B, "power": "unknown", "viewers": 0,
            "session_time": "0", "power_time": "0", "balance": "0",
        },
    ]  # fmt: skip
    assert story.owed_wei() == sum(ledger.earned_wei().values())


def test_what_somebody_books_by_hand_is_owed_as_well() -> None:
    """An operator tries adjustments, for any orchestrator, and negative ones too."""
    ledger = LedgerDriver()
    for name, amount_wei in (("orch-a", MINUTE_WEI), ("orch-a", -3 * MINUTE_WEI), ("orch-c", MINUTE_WEI)):
        ledger.execute(Adjustment(name, amount_wei, f"{name} {amount_wei}", "to see what happens"), at(0))
    story, said = told(ledger)
    assert said == []
    assert story.owed_wei() == -MINUTE_WEI
    assert story.balances()[0]["balance"] == "-0.002"
