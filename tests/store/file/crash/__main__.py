"""Check as many crash states as the first argument says (100,000), and print what was counted."""

import logging
import sys
from collections import Counter

from tests.harness import folder_in_memory
from tests.store.file.crash.campaign import run


def main() -> int:
    logging.disable(logging.CRITICAL)
    states = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with folder_in_memory() as folder:
        campaign = run(folder, states)
    sys.stdout.write(
        f"{campaign.workloads} workloads, {campaign.operations} operations, {campaign.states} states, "
        f"{campaign.journals} of them with journals of their own, {len(campaign.failures)} failures\n"
    )
    for problem, times in Counter(failure.problem for failure in campaign.failures).most_common():
        sys.stdout.write(f"{times} x {problem}\n")
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    sys.exit(main())
