"""The commit queue and its thread: groups form, expired tickets are not served, and errors reach their waiters."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from payments.store.file.committer import Committer, Ticket, TimedOut
from tests.harness import until

SOON_S, LONG_S = 0.05, 30.0
CALLERS = 8


class NamedTicket(Ticket):
    """A ticket with a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


Take = Callable[[], list[NamedTicket]]


def served(committer: Committer[NamedTicket], name: str, timeout_s: float = LONG_S) -> NamedTicket:
    """Submit a ticket with that name and wait until it is served. Raises its error, and ``TimedOut``."""
    ticket = NamedTicket(name)
    committer.submit(ticket)
    ticket.wait(timeout_s)
    return ticket


class Desk:
    """Serves a committer's tickets, one group for each permission.

    Attributes:
        groups: names in each group taken, in order; ``threads``: threads that served.
        busy: set while a group waits for permission; ``late``: take tickets only after that.
    """

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.threads: set[str] = set()
        self.busy = threading.Event()
        self.late = False
        self._outcomes: SimpleQueue[Exception | None] = SimpleQueue()
        self.committer = Committer[NamedTicket](self._serve)

    def let(self, outcome: Exception | None = None, times: int = 1) -> None:
        """Permit so many groups to be served, or to fail."""
        for _ in range(times):
            self._outcomes.put(outcome)

    def submit(self, name: str, timeout_s: float = LONG_S) -> NamedTicket:
        return served(self.committer, name, timeout_s)

    def queued(self, count: int) -> None:
        """Wait until so many tickets are queued behind the current group."""
        until(lambda: self.committer._queue.qsize() == count)

    def _serve(self, take: Take) -> None:
        self.threads.add(threading.current_thread().name)
        if not self.late:
            self._note(take)
        self.busy.set()
        outcome = self._outcomes.get(timeout=LONG_S)
        self.busy.clear()
        if outcome is not None:
            raise outcome
        if self.late:
            self._note(take)

    def _note(self, take: Take) -> None:
        self.groups.append([ticket.name for ticket in take()])


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk that serves only with permission, and everyone at the end."""
    desk = Desk()
    yield desk
    desk.let(times=100)
    assert desk.committer.close(LONG_S)


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLERS) as threads:
        yield threads


def test_ticket_during_a_group_is_in_the_next_one(desk: Desk, callers: ThreadPoolExecutor) -> None:
    first = callers.submit(desk.submit, "first")
    assert desk.busy.wait(LONG_S)
    later = [callers.submit(desk.submit, f"later-{number}") for number in range(CALLERS - 1)]
    desk.queued(CALLERS - 1)
    assert desk.groups == [["first"]]
    desk.let(times=2)
    assert {each.result(LONG_S).name for each in (first, *later)} == {"first", *desk.groups[1]}
    assert [len(group) for group in desk.groups] == [1, CALLERS - 1]


def test_nobody_is_answered_before_serve_returns(desk: Desk, callers: ThreadPoolExecutor) -> None:
    waiting = callers.submit(desk.submit, "one")
    assert desk.busy.wait(LONG_S)
    with pytest.raises(TimeoutError):
        waiting.result(SOON_S)
    desk.let()
    assert waiting.result(LONG_S).name == "one"


def test_ticket_before_the_group_is_taken_is_in_it(desk: Desk, callers: ThreadPoolExecutor) -> None:
    desk.late = True
    first = callers.submit(desk.submit, "first")
    assert desk.busy.wait(LONG_S)
    second = callers.submit(desk.submit, "second")
    desk.queued(1)
    desk.let()
    assert [each.result(LONG_S).name for each in (first, second)] == ["first", "second"]
    assert desk.groups == [["first", "second"]]


def test_the_queue_is_served_in_order_and_by_one_thread(desk: Desk, callers: ThreadPoolExecutor) -> None:
    desk.let(times=3)
    for name in "abc":
        desk.submit(name)
    assert desk.groups == [["a"], ["b"], ["c"]]
    assert desk.threads == {"committer"}


def test_ticket_that_expired_in_the_queue_is_skipped(desk: Desk, callers: ThreadPoolExecutor) -> None:
    desk.late = True
    with pytest.raises(TimedOut):
        desk.submit("first, which gave up", SOON_S)
    with pytest.raises(TimedOut):
        desk.submit("second, which gave up", SOON_S)
    patient = callers.submit(desk.submit, "patient")
    desk.queued(2)
    desk.let()
    patient.result(LONG_S)
    assert desk.groups == [["patient"]]


def test_a_group_of_which_all_gave_up_is_empty(desk: Desk) -> None:
    desk.late = True
    with pytest.raises(TimedOut):
        desk.submit("gave up", SOON_S)
    desk.let()
    until(lambda: desk.groups == [[]])
    desk.let()
    desk.submit("next")
    assert desk.groups == [[], ["next"]]


def test_ticket_that_expires_while_served_harms_no_other(desk: Desk, callers: ThreadPoolExecutor) -> None:
    with pytest.raises(TimedOut):
        desk.submit("served in vain", SOON_S)
    desk.let(times=2)
    desk.submit("next")
    assert desk.groups == [["served in vain"], ["next"]]


def test_an_error_reaches_each_of_the_group_and_the_thread_lives_on(desk: Desk, callers: ThreadPoolExecutor) -> None:
    first = callers.submit(desk.submit, "first")
    assert desk.busy.wait(LONG_S)
    group = [callers.submit(desk.submit, f"s-{number}") for number in range(CALLERS - 1)]
    desk.queued(CALLERS - 1)
    desk.let()
    desk.let(ZeroDivisionError("of the group"))
    desk.let()
    assert first.result(LONG_S).error is None
    for each in group:
        with pytest.raises(ZeroDivisionError, match="of the group"):
            each.result(LONG_S)
    assert desk.submit("next").error is None
    assert desk.groups[-1] == ["next"]


def test_an_error_before_the_tickets_are_taken_reaches_each_waiter(desk: Desk, callers: ThreadPoolExecutor) -> None:
    desk.late = True
    group = [callers.submit(desk.submit, f"s-{number}") for number in range(CALLERS)]
    desk.queued(CALLERS - 1)
    desk.let(ZeroDivisionError("no lock"))
    for each in group:
        with pytest.raises(ZeroDivisionError, match="no lock"):
            each.result(LONG_S)
    desk.let()
    assert desk.submit("next").error is None
    assert desk.groups == [["next"]]


def test_an_error_of_one_ticket_is_its_own() -> None:
    def serve(take: Take) -> None:
        for ticket in take():
            if ticket.name == "bad":
                ticket.error = ZeroDivisionError()

    committer = Committer[NamedTicket](serve)
    with pytest.raises(ZeroDivisionError):
        served(committer, "bad")
    assert served(committer, "good").name == "good"
    assert committer.close(LONG_S)


def test_closing_ends_the_thread_and_serves_nobody_else(desk: Desk) -> None:
    """Serving may hang while another process has the lock, so closing serves nothing."""
    assert desk.committer.close(LONG_S)
    assert not desk.committer._thread.is_alive()
    assert desk.threads == set()


def test_tickets_waiting_at_close_are_served(desk: Desk, callers: ThreadPoolExecutor) -> None:
    first = callers.submit(desk.submit, "first")
    assert desk.busy.wait(LONG_S)
    second = callers.submit(desk.submit, "second")
    desk.queued(1)
    closing = callers.submit(desk.committer.close, LONG_S)
    desk.queued(2)
    desk.let(times=2)
    assert [each.result(LONG_S).name for each in (first, second)] == ["first", "second"]
    assert closing.result(LONG_S)


def test_closing_does_not_wait_for_a_serve_that_hangs(desk: Desk) -> None:
    with pytest.raises(TimedOut):
        desk.submit("hangs", SOON_S)
    assert not desk.committer.close(SOON_S)
    desk.let()
    until(lambda: not desk.committer._thread.is_alive())
    assert desk.groups == [["hangs"]]
