"""``python -m tests.bench.gateway``: what the gateway adds between viewers and their game host, and what it needs.

The same viewers talk to the same host, first straight and then through one gateway that reports them to a Payments of
its own: how long a small message and its echo take, what memory each viewer costs the gateway, and how fast a large
amount comes back byte by byte as it was sent. Gateway, viewers, host and Payments share the machine.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.edge.gateway.gateways import Gateway, running_gateway
from tests.edge.puppets import Puppet, raise_file_limit, running_puppet
from tests.harness import running_server

HOST = "127.0.0.2"


class Plan(NamedTuple):
    """How much is measured. ``every_s``: from one message of a viewer to its next."""

    viewers: int
    seconds: float
    every_s: float
    echo_mib: int


class Talk(NamedTuple):
    """How long a message and its echo took, of so many."""

    messages: int
    p50_ms: float
    p99_ms: float
    most_ms: float


def talk(viewers: Puppet, plan: Plan) -> Talk:
    taken_ms = sorted(viewers.ask(talk=plan.seconds, every_s=plan.every_s))
    count = len(taken_ms)
    return Talk(count, taken_ms[count // 2], taken_ms[count * 99 // 100], taken_ms[-1])


def processor_s(pid: int) -> float:
    """What it has had of a processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def echoed(viewers: Puppet, plan: Plan, url: str) -> dict[str, Any]:
    """Megabytes a second, and whether all came back as they were."""
    size_bytes = plan.echo_mib << 20
    said = viewers.ask(echo=size_bytes, url=url)
    return {"mb_per_s": size_bytes / 1e6 / said["seconds"], "is_exact": said["is_exact"]}


@contextmanager
def puppet(folder: Path, module: str, *arguments: str) -> Iterator[Puppet]:
    log = folder / f"{module}.log"
    with running_puppet(module, log, {}, *arguments) as process:
        yield Puppet(process, log)


def measure(folder: Path, plan: Plan) -> dict[str, Any]:
    """Every figure, by its name."""
    with puppet(folder, "tests.bench.echo", HOST) as host, puppet(folder, "tests.bench.viewers") as viewers:
        address = f"{HOST}:{host.ask(port=None)}"
        direct = _direct(viewers, plan, f"ws://{address}/")
        with running_server(folder) as server:
            server.register("orch-a", HOST)
            with running_gateway(folder, server.url, address, PAYMENTS_SESSION_HEARTBEAT_SECONDS="15") as running:
                through = _through(viewers, plan, running)
    added_ms = {
        f"added_{name}": through["talk"][name] - direct["talk"][name] for name in ("p50_ms", "p99_ms", "most_ms")
    }
    return {"plan": plan._asdict(), "direct": direct, "through": through, **added_ms}


def _direct(viewers: Puppet, plan: Plan, url: str) -> dict[str, Any]:
    connected_s = viewers.ask(come=plan.viewers, url=url)
    talked = talk(viewers, plan)
    viewers.ask(leave=None)
    return {"connected_s": connected_s, "talk": talked._asdict(), "echo": echoed(viewers, plan, url)}


def _through(viewers: Puppet, plan: Plan, running: Gateway) -> dict[str, Any]:
    pid, url = running.process.pid, f"{running.ws_url}/"
    alone_bytes = running.memory_bytes()
    connected_s = viewers.ask(come=plan.viewers, url=url)
    silent_bytes = running.memory_bytes()
    before_s = processor_s(pid)
    talked = talk(viewers, plan)
    busy = (processor_s(pid) - before_s) / plan.seconds
    talking_bytes = running.memory_bytes()
    viewers.ask(leave=None)
    return {
        "connected_s": connected_s,
        "talk": talked._asdict(),
        "alone_kib": alone_bytes / 1024,
        "kib_per_viewer": (silent_bytes - alone_bytes) / 1024 / plan.viewers,
        "kib_per_talking_viewer": (talking_bytes - alone_bytes) / 1024 / plan.viewers,
        "share_of_a_processor": busy,
        "echo": echoed(viewers, plan, url),
    }


def table(found: dict[str, Any]) -> str:
    """What was found, for people."""
    plan, lines = found["plan"], []
    for name, where in (("direct", found["direct"]), ("through the gateway", found["through"])):
        said = where["talk"]
        lines.append(
            f"{name:20} {said['messages']} messages: p50 {said['p50_ms']:.2f} ms, p99 {said['p99_ms']:.2f} ms, "
            f"at most {said['most_ms']:.1f} ms; {plan['viewers']} viewers let in in {where['connected_s']:.1f} s; "
            f"{plan['echo_mib']} MiB echoed at {where['echo']['mb_per_s']:.0f} MB/s, "
            f"{'byte by byte as sent' if where['echo']['is_exact'] else 'DAMAGED'}"
        )
    through = found["through"]
    lines.append(f"added: p50 {found['added_p50_ms']:.2f} ms, p99 {found['added_p99_ms']:.2f} ms")
    lines.append(
        f"memory of the gateway: {through['alone_kib'] / 1024:.0f} MiB alone, {through['kib_per_viewer']:.1f} KiB per "
        f"viewer, {through['kib_per_talking_viewer']:.1f} KiB once they have talked; "
        f"{through['share_of_a_processor']:.0%} of a processor while they talk"
    )
    return "".join(f"{line}\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__)
    parser.add_argument("--viewers", type=int, default=2000, help="how many are connected at once (2000)")
    parser.add_argument("--seconds", type=float, default=30, help="how long they talk (30)")
    parser.add_argument("--every", type=float, default=5, help="seconds from one message of a viewer to its next (5)")
    parser.add_argument("--echo-mib", type=int, default=1024, help="how much is echoed by one viewer (1024)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the JSON goes (bench.json)")
    given = parser.parse_args()
    raise_file_limit()
    plan = Plan(given.viewers, given.seconds, given.every, given.echo_mib)
    with TemporaryDirectory(prefix="payments-bench-", dir=os.environ.get("TMPDIR")) as folder:
        found = measure(Path(folder), plan)
    found |= {"cores": os.cpu_count(), "python": platform.python_version()}
    sys.stdout.write(table(found))
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if found["direct"]["echo"]["is_exact"] and found["through"]["echo"]["is_exact"] else 1


if __name__ == "__main__":
    sys.exit(main())
