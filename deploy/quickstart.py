"""The Python parts of ``quickstart.sh`` (``prepare``, ``greet PID``) and ``install.sh`` (``env DATA``).

``prepare`` creates ``.env`` and ``data/`` if missing, adds missing settings to ``.env``, and fails if the address to
listen on is taken. ``greet`` waits until the API, process ``PID``, is ready, and prints what to do next; it fails if
the API ends first. ``env`` prints the settings of a server with its data in ``DATA``.
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

# The address in the documentation's example, from the range reserved for documentation (RFC 5737).
EXAMPLE_HOST = "203.0.113.10"

DEFAULTS = {
    "PAYMENTS_DATA_DIR": "./data",
    "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.00025",
    "PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH": f"./{BOOTSTRAP}",
}
TOKENS = ("PAYMENTS_SESSION_REPORTER_TOKEN", "PAYMENTS_API_ADMIN_TOKEN", "PAYMENTS_VIEWER_TOKENS")

GREETING = """
Payments is running at {url}

Report a session event (repeat it with "event":"heartbeat" and "event":"end"):

  curl -sS -X POST \\
    -H "Content-Type: application/json" \\
    -H "X-Session-Token: {reporter}" \\
    -d '{{"session_id":"test-1","upstream_addr":"{host}","upstream_port":80,"edge_id":"edge-a","event":"start"}}' \\
    "{url}/api/sessions/events"

List sessions and what they earned:

  curl -sS -H "X-Admin-Token: {admin}" "{url}/api/sessions?limit=50"
  curl -sS -H "X-Admin-Token: {admin}" "{url}/api/ledger/balances"

The worker is running too. To pay for powered-on time, set PAYMENTS_POWER_METER_ENABLED=true and
PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE in .env, start again, and list the hosts' last power readings:

  curl -sS -H "X-Admin-Token: {admin}" "{url}/api/power"

Settings are in .env, data is in {data}. Stop with Ctrl-C.
"""


def prepare() -> None:
    """Create ``.env`` with fresh tokens, and ``data/`` with an example orchestrator."""
    BOOTSTRAP.parent.mkdir(mode=0o700, exist_ok=True)
    if not BOOTSTRAP.exists():
        record = {"orchestrator_id": "orch-example", "host_public_ip": EXAMPLE_HOST, "host_name": "host.example"}
        BOOTSTRAP.write_text(json.dumps({"orchestrators": [record]}, indent=2) + "\n")
    _fill_in()
    bind = Settings.load().bind
    with suppress(OSError):
        # If bind is 0.0.0.0 or [::], which means all addresses, connecting to it still reaches this machine.
        connected(bind, timeout_s=5).close()
        sys.exit(
            f"payments: {bind} is already in use, perhaps by another Payments. Stop that program, or choose another "
            f"address: add a line such as PAYMENTS_BIND=127.0.0.1:8082 to .env, and run this again"
        )


def _fill_in() -> None:
    """Add settings that neither ``.env`` nor the environment has, and print their names. Others stay unchanged."""
    found = read_environment()
    missing = {name: value for name, value in {**DEFAULTS, **_fresh_tokens()}.items() if name not in found.values}
    # A folder that may not be read is another user's; it is left alone.
    with suppress(PermissionError):
        if engine_of(Settings.load()).exists():
            # Keep using an existing journal: an empty folder must not replace recorded debts.
            missing.pop("PAYMENTS_DATA_DIR", None)
    if not missing:
        return
    with os.fdopen(os.open(found.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        # It contains tokens, so only its owner may read it.
        os.fchmod(file.fileno(), 0o600)
        existing = file.read()
        lines = "".join(f"{name}={value}\n" for name, value in missing.items())
        begin = "" if existing.endswith(b"\n") else "\n"
        text = f"{begin}# Added by deploy/quickstart.sh.\n{lines}" if existing else filled(EXAMPLE.read_text(), missing)
        file.write(text.encode())
    added = (f"{name}={value}" if name in DEFAULTS else f"{name} (new token)" for name, value in missing.items())
    what = f"added missing settings to {found.file}" if existing else f"created {found.file} with these settings"
    print(f"payments: {what}:", *added, sep="\n  ", file=sys.stderr)


def env(data: str) -> None:
    """Print ``.env.example`` with fresh tokens, for a server behind nginx (nobody else may connect to its socket)."""
    values = {"PAYMENTS_DATA_DIR": data, "PAYMENTS_BEHIND_PROXY": "true", **_fresh_tokens()}
    print(filled(EXAMPLE.read_text(), values), end="")


def _fresh_tokens() -> dict[str, str]:
    return {name: secrets.token_urlsafe(24) for name in TOKENS}


def filled(example: str, values: Mapping[str, str]) -> str:
    """``example`` with ``values``: they replace the lines that set the same names, commented out or not."""
    lines = []
    for line in example.splitlines():
        name = line.removeprefix("#").strip().partition("=")[0]
        lines.append(f"{name}={values[name]}" if name in values else line)
    return "\n".join(lines) + "\n"


def greet(pid: int) -> None:
    """Wait until the API, process ``pid``, is ready; print how to use it."""
    settings = Settings.load()
    url = f"http://{settings.bind}"
    # Check the process too: another program may be answering at that address.
    while not _listens(pid) or trouble(settings.bind, "/readyz", timeout_s=5):
        if _has_ended(pid):
            sys.exit("payments: the API has stopped; see above")
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
    """Whether process ``pid`` is gone or a zombie."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def _listens(pid: int) -> bool:
    """Whether process ``pid`` has a listening socket."""
    try:
        held = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    # Column of the state, column of the inode, and the state of a listening socket.
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
