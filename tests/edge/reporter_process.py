"""A process with a reporter that simulates viewers by commands in lines of JSON.

Settings come from the environment, and each line is answered with one. ``{"open": N}``: N viewers come; the answer has
the time of each, by session. ``{"end": [ids]}``: they leave. ``{"close": seconds}``: the reporter is closed. A time is
two numbers: just before and just after, because the machine may be busy in between. They are milliseconds since the
epoch by the monotonic clock, so that differences are true durations.
"""

import json
import sys
import time
from pathlib import Path

from payments.edge.reporter import Reporter
from payments.edge.settings import EdgeSettings
from payments.logs import log_as_json
from tests.edge.line_processes import say
from tests.harness import HOST_A

_BASE_MS = time.time() * 1000 - time.perf_counter() * 1000


def true_ms() -> float:
    """Now."""
    return _BASE_MS + time.perf_counter() * 1000


def main() -> None:
    log_as_json()
    reporter = Reporter(EdgeSettings.load(Path("no-env-file")))
    reporter.start()
    say("ready")
    sessions = {}
    for line in sys.stdin:
        ((command, about),) = json.loads(line).items()
        if command == "open":
            moments = {}
            for _ in range(about):
                before_ms = true_ms()
                session = reporter.open(HOST_A, 8888)
                moments[session.session_id] = before_ms, true_ms()
                sessions[session.session_id] = session
            say(moments)
        elif command == "end":
            moments = {}
            for session_id in about:
                before_ms = true_ms()
                sessions.pop(session_id).end()
                moments[session_id] = before_ms, true_ms()
            say(moments)
        elif command == "status":
            say(reporter.status()._asdict())
        elif command == "close":
            say(reporter.close(about))
            return


if __name__ == "__main__":
    main()
