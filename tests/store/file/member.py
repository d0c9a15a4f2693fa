"""One of several processes on the same files: ``python -m tests.store.file.member FOLDER NAME COMMANDS``.

Reports to sessions of its own and to one that all share, and prints a line for each answer: event and outcome.
"""

import sys
from pathlib import Path

from payments.clock import now_ms
from payments.domain.decisions import Outcome
from payments.domain.sessions import HEARTBEAT
from payments.store.file.store import FileStore
from tests.disk.scripted import HastyDisk
from tests.harness import HOST_A, HOST_B, TERMS, event, journal_path, projections

SHARED = "shared"


def main(folder: Path, name: str, commands: int) -> None:
    paths = projections(folder)
    store = FileStore(journal_path(folder), paths, lambda: TERMS, now_ms, disk=HastyDisk())
    sys.stdin.readline()
    for number in range(commands):
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
