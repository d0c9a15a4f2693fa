"""The one thread of a process that works on the journal: callers queue up, and it serves them in groups."""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T", bound="Ticket")


class TimedOut(Exception):
    """Not served in time; whoever is still in the queue then is passed over."""


class Ticket:
    """A caller's place in the queue.

    Attributes:
        error: why the caller was not served; raised where it waits.
    """

    __slots__ = ("_answered", "error", "given_up")

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.given_up = False
        # Not an Event: this is a tenth of its cost.
        self._answered = threading.Lock()
        self._answered.acquire()

    @property
    def is_answered(self) -> bool:
        """Whether nobody has to wait for it."""
        return not self._answered.locked()

    def wait(self, timeout_s: float) -> None:
        """Returns when the ticket was served. Raises its ``error``, and ``TimedOut`` when that took too long."""
        if not self._answered.acquire(timeout=timeout_s):
            self.given_up = True
            raise TimedOut
        if self.error is not None:
            raise self.error

    def answer(self) -> None:
        """Let the caller go on."""
        self._answered.release()


class Committer(Generic[T]):
    """A queue, and the thread that empties it.

    ``serve`` is called, in that thread only, whenever somebody waits; it takes the tickets, once, when it is ready for
    them, and they are answered when it returns. If it raises, that is the error of each.
    """

    def __init__(self, serve: Callable[[Callable[[], list[T]]], None]) -> None:
        """Make it after the fork: no thread survives one."""
        self._serve = serve
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._next: T | None = None
        self._taken: list[T] | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many tickets are in the queue, those that gave up included."""
        return self._queue.qsize()

    def submit(self, ticket: T) -> None:
        """Put ``ticket`` into the queue."""
        self._queue.put(ticket)

    def close(self, timeout_s: float) -> bool:
        """Serve who waits, and end the thread; whether it has ended in time. Nobody submits any more."""
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
            # Who was not even asked for gets the error as well.
            for ticket in self._take() if self._taken is None else self._taken:
                ticket.error = ticket.error or error
                ticket.answer()

    def _take(self) -> list[T]:
        waiting = [self._next] if self._next is not None else []
        with suppress(Empty):
            while (ticket := self._queue.get_nowait()) is not None:
                waiting.append(ticket)
            # That is for the thread, which ends at it.
            self._queue.put(None)
        self._taken = [ticket for ticket in waiting if not ticket.given_up]
        return self._taken
