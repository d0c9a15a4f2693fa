"""One of several processes on the same files: ``python -m tests.store.file.store_process FOLDER NAME COMMANDS``.

Reports events of its own sessions and of a shared one, and prints a line for each answer: event and outcome. Sometimes
it reads the power of a shared orchestrator.
"""

import sys
from pathlib import Path

from payments.clock import now_ms
from payments.domain.decisions import Outcome
from payments.domain.readings import AWAKE, Reading
from payments.domain.sessions import HEARTBEAT
from payments.store.file.store import FileStore
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, HOST_B, TERMS, event, journal_path, projections

SHARED, METERED = "shared", "orch-p"
POWERED = TERMS._replace(power_rate_wei_per_minute=60_000)
"""One wei for each millisecond of power."""


def main(folder: Path, name: str, commands: int) -> None:
    paths = projections(folder)
    store = FileStore(journal_path(folder), paths, lambda: POWERED, now_ms, disk=HastyDisk())
    sys.stdin.readline()
    for number in range(commands):
        if number % 4 == 0:
            store.execute([Reading(METERED, AWAKE, now_ms())])
        session_id = SHARED if number % 3 == 0 else f"{name}-{number % 5}"
        host = HOST_A if session_id == SHARED else HOST_B
        told = event(session_id, HEARTBEAT, now_ms(), upstream_addr=host, event_id=f"{name}-{number}")
        result = store.execute([told])[0]
        assert isinstance(result, Outcome)
        sys.stdout.write(f"{told.event_id} {result.kind}\n")
        sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
