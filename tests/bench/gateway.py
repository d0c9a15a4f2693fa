"""``python -m tests.bench.gateway``: the gateway's latency, memory and throughput between viewers and a game host.

The same viewers talk to the same host, directly and through a gateway that reports them to its own Payments. Measured
are the round trip of a small message, the gateway's memory for each viewer, and the throughput of a large
amount that must come back unchanged. Gateway, viewers, host and Payments share the machine.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.edge.gateway.gateways import GatewayProcess, running_gateway
from tests.edge.line_processes import LineProcess, raise_file_limit, running_line_process
from tests.harness import running_server

HOST = "127.0.0.2"


class GatewayPlan(NamedTuple):
    """Number and duration of rounds. ``every_s``: interval between messages."""

    viewers: int
    rounds: int
    seconds: float
    every_s: float
    echo_mib: int


class Talk(NamedTuple):
    """Round trips of so many messages."""

    messages: int
    p50_ms: float
    p99_ms: float
    most_ms: float


def talk(viewers: LineProcess, plan: GatewayPlan) -> Talk:
    taken_ms = sorted(viewers.ask(talk=plan.seconds, every_s=plan.every_s))
    count = len(taken_ms)
    return Talk(count, taken_ms[count // 2], taken_ms[count * 99 // 100], taken_ms[-1])


class Talks(NamedTuple):
    """Alternate both ways, so that other load affects both alike; also returns the gateway's processor time."""

    direct: list[Talk]
    through: list[Talk]
    processor_s: float

    def figures(self) -> dict[str, Any]:
        """Medians over the rounds, in milliseconds, and each round."""
        found: dict[str, Any] = {}
        for name in ("p50_ms", "p99_ms"):
            straight, longer = ([getattr(each, name) for each in way] for way in (self.direct, self.through))
            found[f"direct_{name}"] = median(straight)
            found[f"through_{name}"] = median(longer)
            found[f"added_{name}"] = median(more - less for more, less in zip(longer, straight, strict=True))
        found["messages"] = sum(each.messages for each in self.through)
        found["rounds"] = [[each._asdict() for each in pair] for pair in zip(self.direct, self.through, strict=True)]
        return found


def processor_s(pid: int) -> float:
    """Its processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def echoed(viewers: LineProcess, plan: GatewayPlan, url: str) -> dict[str, Any]:
    """Megabytes a second, and whether all came back unchanged."""
    size_bytes = plan.echo_mib << 20
    said = viewers.ask(echo=size_bytes, url=url)
    return {"mb_per_s": size_bytes / 1e6 / said["seconds"], "is_exact": said["is_exact"]}


@contextmanager
def line_process(folder: Path, module: str, *arguments: str) -> Iterator[LineProcess]:
    folder.mkdir(exist_ok=True)
    log = folder / f"{module}.log"
    with running_line_process(module, log, {}, *arguments) as process:
        yield LineProcess(process, log)


def measure(folder: Path, plan: GatewayPlan) -> dict[str, Any]:
    """Every figure, by its name."""
    with ExitStack() as opened:
        host = opened.enter_context(line_process(folder, "tests.bench.echo", HOST))
        near, far = (
            opened.enter_context(line_process(folder / name, "tests.bench.viewers")) for name in ("near", "far")
        )
        address = f"{HOST}:{host.ask(port=None)}"
        server = opened.enter_context(running_server(folder))
        server.register("orch-a", HOST)
        gateway = opened.enter_context(
            running_gateway(folder, server.url, address, PAYMENTS_SESSION_HEARTBEAT_SECONDS="15")
        )
        straight, longer = f"ws://{address}/", f"{gateway.ws_url}/"
        near.ask(come=plan.viewers, url=straight)
        alone_bytes = gateway.memory_bytes()
        connected_s = far.ask(come=plan.viewers, url=longer)
        silent_bytes = gateway.memory_bytes()
        talks = talk_by_turns(near, far, plan, gateway)
        talking_bytes = gateway.memory_bytes()
        for viewers in (near, far):
            viewers.ask(leave=None)
        return {
            "plan": plan._asdict(),
            "latency": talks.figures(),
            "connected_s": connected_s,
            "alone_kib": alone_bytes / 1024,
            "kib_per_viewer": (silent_bytes - alone_bytes) / 1024 / plan.viewers,
            "kib_per_talking_viewer": (talking_bytes - alone_bytes) / 1024 / plan.viewers,
            "processor_us_per_message": talks.processor_s * 1e6 / sum(each.messages for each in talks.through),
            "echo": {"direct": echoed(near, plan, straight), "through": echoed(far, plan, longer)},
        }


def talk_by_turns(near: LineProcess, far: LineProcess, plan: GatewayPlan, gateway: GatewayProcess) -> Talks:
    direct, through = [], []
    had_s = 0.0
    for _ in range(plan.rounds):
        direct.append(talk(near, plan))
        before_s = processor_s(gateway.process.pid)
        through.append(talk(far, plan))
        had_s += processor_s(gateway.process.pid) - before_s
    return Talks(direct, through, had_s)


def table(found: dict[str, Any]) -> str:
    """The results as text."""
    plan, latency = found["plan"], found["latency"]
    lines = [
        f"{plan['viewers']} viewers, let in in {found['connected_s']:.1f} s; {latency['messages']} messages each way"
    ]
    lines += [
        f"{name:10} p50 {latency[f'{name}_p50_ms']:8.2f} ms   p99 {latency[f'{name}_p99_ms']:8.2f} ms"
        for name in ("direct", "through", "added")
    ]
    lines += [
        f"memory     {found['alone_kib'] / 1024:.0f} MiB alone, {found['kib_per_viewer']:.1f} KiB more per viewer, "
        f"{found['kib_per_talking_viewer']:.1f} KiB once they have talked",
        f"processor  {found['processor_us_per_message']:.0f} µs for a message and its echo, heartbeats included",
    ]
    for name, echo in found["echo"].items():
        exact = "byte by byte as it was sent" if echo["is_exact"] else "DAMAGED"
        lines.append(f"{name:10} {plan['echo_mib']} MiB back, {exact}: {echo['mb_per_s']:.0f} MB/s")
    lines.append(f"{found['cores']} cores, Python {found['python']}, {found['took_s']:.0f} s")
    return "".join(f"{line}\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__)
    parser.add_argument("--viewers", type=int, default=2000, help="how many are connected at once (2000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often they talk, each way by turns (5)")
    parser.add_argument("--seconds", type=float, default=10, help="how long they talk in a round (10)")
    parser.add_argument("--every", type=float, default=5, help="seconds from one message of a viewer to its next (5)")
    parser.add_argument("--echo-mib", type=int, default=1024, help="how much is echoed by one viewer (1024)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the JSON goes (bench.json)")
    given = parser.parse_args()
    raise_file_limit()
    plan = GatewayPlan(given.viewers, given.rounds, given.seconds, given.every, given.echo_mib)
    begun_s = time.monotonic()
    with TemporaryDirectory(prefix="payments-bench-", dir=os.environ.get("TMPDIR")) as folder:
        found = measure(Path(folder), plan)
    found |= {"cores": os.cpu_count(), "python": platform.python_version(), "took_s": time.monotonic() - begun_s}
    sys.stdout.write(table(found))
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if all(echo["is_exact"] for echo in found["echo"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
