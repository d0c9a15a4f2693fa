"""What is easier in Python: for ``quickstart.sh`` ``prepare`` and ``greet PID``, for ``install.sh`` ``env DATA``.

``prepare`` makes ``.env`` and ``data/`` where they are missing, fills in what ``.env`` lacks, and fails if the address
to listen on is taken.
``greet`` waits until process ``PID``, the API, listens and is ready, and prints what to do next; it fails if that ends
before. ``env`` prints a server's settings, with its data in ``DATA``.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from payments.envfile import read_environment
from payments.errors import Misconfigured
from payments.probe import connected, trouble
from payments.settings import Settings
from payments.store import engine_of

EXAMPLE = Path(".env.example")
BOOTSTRAP = Path("data/example-orchestrators.json")

# The address of the example in the documentation, from the range that is set aside for documentation (RFC 5737).
EXAMPLE_HOST = "203.0.113.10"

CHOICES = {
    "PAYMENTS_DATA_DIR": "./data",
    "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.00025",
    "PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH": f"./{BOOTSTRAP}",
}
TOKENS = ("PAYMENTS_SESSION_REPORTER_TOKEN", "PAYMENTS_API_ADMIN_TOKEN", "PAYMENTS_VIEWER_TOKENS")

GREETING = """
Payments listens on {url}

Report a session event (again with "event":"heartbeat" and "event":"end"):

  curl -sS -X POST \\
    -H "Content-Type: application/json" \\
    -H "X-Session-Token: {reporter}" \\
    -d '{{"session_id":"test-1","upstream_addr":"{host}","upstream_port":8888,"edge_id":"edge-a","event":"start"}}' \\
    "{url}/api/sessions/events"

List sessions, and see what they earned:

  curl -sS -H "X-Admin-Token: {admin}" "{url}/api/sessions?limit=50"
  curl -sS -H "X-Admin-Token: {admin}" "{url}/api/ledger/balances"

The worker runs beside it. To pay for powered-on time, set PAYMENTS_POWER_METER_ENABLED=true and
PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE in .env, start again, and see what the hosts' /power said:

  curl -sS -H "X-Admin-Token: {admin}" "{url}/api/power"

Settings are in .env, files in {data}. Stop with Ctrl-C.
"""


def prepare() -> None:
    """Make ``.env``, with tokens of its own, and ``data/`` with one orchestrator to try things on."""
    BOOTSTRAP.parent.mkdir(mode=0o700, exist_ok=True)
    if not BOOTSTRAP.exists():
        record = {"orchestrator_id": "orch-example", "host_public_ip": EXAMPLE_HOST, "host_name": "host.example"}
        BOOTSTRAP.write_text(json.dumps({"orchestrators": [record]}, indent=2) + "\n")
    _fill_in()
    bind = Settings.load().bind
    with suppress(OSError):
        # All addresses are listened on as 0.0.0.0 and [::]; connecting to these reaches this machine too.
        connected(bind, timeout_s=5).close()
        sys.exit(
            f"payments: something listens on {bind} already, another Payments perhaps. End it, or choose another "
            f"address: put a line such as PAYMENTS_BIND=127.0.0.1:8082 into .env, and run this again"
        )


def _fill_in() -> None:
    """Add what neither ``.env`` nor the environment sets, and say what was added; what is there stays as it is."""
    found = read_environment()
    lacking = {name: value for name, value in {**CHOICES, **_fresh_tokens()}.items() if name not in found.values}
    # Where nobody may look, another user's journal stands, if any.
    with suppress(PermissionError):
        if engine_of(Settings.load()).exists():
            # Somebody is owed what that journal says; an empty folder must not take its place.
            lacking.pop("PAYMENTS_DATA_DIR", None)
    if not lacking:
        return
    with os.fdopen(os.open(found.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        # It is for its owner only from now on: it holds tokens.
        os.fchmod(file.fileno(), 0o600)
        there = file.read()
        lines = "".join(f"{name}={value}\n" for name, value in lacking.items())
        begin = "" if there.endswith(b"\n") else "\n"
        text = f"{begin}# Added by deploy/quickstart.sh.\n{lines}" if there else filled(EXAMPLE.read_text(), lacking)
        file.write(text.encode())
    said = (f"{name}={value}" if name in CHOICES else f"{name}, a new token" for name, value in lacking.items())
    begun = f"{found.file} did not set these; they are added to it" if there else f"{found.file} is made, with these"
    print(f"payments: {begun}:", *said, sep="\n  ", file=sys.stderr)


def env(data: str) -> None:
    """Print ``.env.example`` with tokens of its own; behind nginx, for nobody else may connect to its socket."""
    values = {"PAYMENTS_DATA_DIR": data, "PAYMENTS_BEHIND_PROXY": "true", **_fresh_tokens()}
    print(filled(EXAMPLE.read_text(), values), end="")


def _fresh_tokens() -> dict[str, str]:
    return {name: secrets.token_urlsafe(24) for name in TOKENS}


def filled(example: str, values: Mapping[str, str]) -> str:
    """``example`` with ``values`` in place of the lines, commented out or not, that set the same names."""
    lines = []
    for line in example.splitlines():
        name = line.removeprefix("#").strip().partition("=")[0]
        lines.append(f"{name}={values[name]}" if name in values else line)
    return "\n".join(lines) + "\n"


def greet(pid: int) -> None:
    """Wait for the API and say how to use it."""
    settings = Settings.load()
    url = f"http://{settings.bind}"
    # An answer alone may be another program's, that has the address.
    while not _listens(pid) or trouble(settings.bind, "/readyz", timeout_s=5):
        if _has_ended(pid):
            sys.exit("payments: the API has ended; see above")
        time.sleep(0.1)
    print(
        GREETING.format(
            url=url,
            host=EXAMPLE_HOST,
            data=settings.data_dir,
            reporter=next(iter(settings.session_reporter_tokens), "none-is-needed"),
            admin=settings.api_admin_token or "none-is-set",
        ),
        flush=True,
    )


def _has_ended(pid: int) -> bool:
    """Whether process ``pid`` is gone, or a zombie that the shell has not waited for yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def _listens(pid: int) -> bool:
    """Whether process ``pid`` holds a socket that others may connect to."""
    try:
        held = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    # Columns of the state and of the inode, and what the state is when a socket listens.
    tables = {"tcp": (3, 9, "0A"), "tcp6": (3, 9, "0A"), "unix": (3, 6, "00010000")}
    for name, (state, inode, listening) in tables.items():
        with suppress(OSError):
            rows = [line.split() for line in Path("/proc/net", name).read_text().splitlines()[1:]]
            if any(row[state] == listening and f"socket:[{row[inode]}]" in held for row in rows):
                return True
    return False


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["prepare"]:
                prepare()
            case ["greet", pid]:
                greet(int(pid))
            case ["env", data]:
                env(data)
    except Misconfigured as error:
        sys.exit(f"payments: cannot start:\n{error}")
    except OSError as error:
        sys.exit(f"payments: cannot start:\n{error.filename}: {error.strerror}")
