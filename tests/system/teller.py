"""A process with a store: ``python -m tests.system.teller FOLDER`` records an event for each number on its input.

Answers each with a line: the outcome, or why it was refused.
"""

import sys
from pathlib import Path

from payments.domain.billing import Outcome
from payments.domain.sessions import HEARTBEAT
from payments.errors import Unavailable
from tests.harness import NOON_MS, Clock, event, file_store

STEP_MS = 15_000


def main(folder: Path) -> None:
    clock = Clock()
    store = file_store(folder, clock=clock)
    for line in sys.stdin:
        number = int(line)
        clock.now_ms = NOON_MS + number * STEP_MS
        try:
            result = store.execute([event("s-1", HEARTBEAT, clock.now_ms, event_id=str(number))])[0]
            assert isinstance(result, Outcome)
            answer = result.kind
        except Unavailable as error:
            answer = str(error)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
