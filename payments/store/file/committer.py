"""The only thread of a process that works on the journal. Callers queue up, and it serves them in groups."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T", bound="Ticket")


class TimedOut(Exception):
    """The ticket was not served in time. If it is still in the queue, it will be skipped."""


class Ticket:
    """A caller's place in the queue.

    Attributes:
        error: why the caller was not served, or ``None``; ``wait`` raises it.
        given_up: whether the caller has stopped waiting.
    """

    __slots__ = ("_answered", "error", "given_up")

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.given_up = False
        # Not an Event, which costs ten times as much.
        self._answered = threading.Lock()
        self._answered.acquire()

    @property
    def is_answered(self) -> bool:
        """Whether ``wait`` would return at once."""
        return not self._answered.locked()

    def wait(self, timeout_s: float) -> None:
        """Wait until the ticket is served. Raises its ``error``, or ``TimedOut`` after ``timeout_s``."""
        if not self._answered.acquire(timeout=timeout_s):
            self.given_up = True
            raise TimedOut
        if self.error is not None:
            raise self.error

    def answer(self) -> None:
        """Wake the caller."""
        self._answered.release()


class Committer(Generic[T]):
    """A queue of tickets, and the thread that serves them.

    The thread calls ``serve(take_waiting)`` whenever a ticket waits. ``serve`` calls ``take_waiting`` once to get all
    waiting tickets; they are answered when it returns. If it raises, every ticket gets that error.
    """

    def __init__(self, serve: Callable[[Callable[[], list[T]]], None]) -> None:
        """Start the thread. Call it after the fork, which no thread survives."""
        self._serve = serve
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._next: T | None = None
        self._taken: list[T] | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many tickets are in the queue, including those given up."""
        return self._queue.qsize()

    def submit(self, ticket: T) -> None:
        """Add ``ticket`` to the queue."""
        self._queue.put(ticket)

    def close(self, timeout_s: float) -> bool:
        """Serve the waiting tickets and end the thread; whether it ended in time. Nothing may be submitted after."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (ticket := self._queue.get()) is not None:
            self._next = ticket
            self._taken = None
            error = None
            try:
                self._serve(self._take)
            except Exception as raised:
                error = raised
            # If serve failed before it took the tickets, they get its error too.
            for ticket in self._take() if self._taken is None else self._taken:
                ticket.error = ticket.error or error
                ticket.answer()

    def _take(self) -> list[T]:
        waiting = [self._next] if self._next is not None else []
        with suppress(Empty):
            while (ticket := self._queue.get_nowait()) is not None:
                waiting.append(ticket)
            # The None that ends the thread: put it back for _run.
            self._queue.put(None)
        self._taken = [ticket for ticket in waiting if not ticket.given_up]
        return self._taken
