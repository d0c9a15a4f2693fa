"""``quickstart.sh`` and ``run.sh --fast`` on a bare Debian made by debootstrap, with the network of this machine.

Minutes each, so ``PAYMENTS_TEST_MACHINES=bookworm,trixie`` says on which releases; without it on none.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.image import tracked
from tests.harness import ROOT, free_port

RELEASES = [name for name in os.environ.get("PAYMENTS_TEST_MACHINES", "").split(",") if name]
MIRROR = "http://deb.debian.org/debian"

QUICKSTART = """
cd /srv/checkout
sh deploy/quickstart.sh >/srv/quickstart.log 2>&1 &
until grep -q 'Stop with Ctrl-C' /srv/quickstart.log; do
    kill -0 $! || { cat /srv/quickstart.log; exit 1; }
    sleep 0.2
done
.venv/bin/python -c 'import sys; from payments.probe import trouble; sys.exit(trouble(sys.argv[1], "/readyz", 15))' \
    "$PAYMENTS_BIND"
kill -TERM $!
wait $!
"""

FAST = """
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3 python3-venv
useradd --create-home tester
cp -R /srv/checkout /home/tester/checkout
rm -rf /home/tester/checkout/.venv
chown -R tester: /home/tester/checkout
cd /home/tester/checkout
runuser -u tester -- sh tests/run.sh --fast
"""


class Bare:
    """A Debian without anything, and this checkout in it.

    Attributes:
        root: its files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._environment = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        if certificates := os.environ.get("PIP_CERT"):
            shutil.copy(certificates, root / "srv" / "certificates.crt")
            self._environment["PIP_CERT"] = "/srv/certificates.crt"

    def run(self, script: str, **environment: str) -> None:
        """``script``, run by its shell as root, must succeed."""
        settings = [f"--setenv={name}={value}" for name, value in {**self._environment, **environment}.items()]
        done = subprocess.run(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={self.root}", *settings,
             "sh", "-euc", script],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]


@pytest.fixture(scope="module", params=RELEASES)
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    root = tmp_path_factory.mktemp(request.param)
    # Others than root use it too.
    root.chmod(0o755)
    try:
        subprocess.run(["debootstrap", "--variant=minbase", request.param, root, MIRROR], check=True)
        for name in tracked():
            target = root / "srv" / "checkout" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        yield Bare(root)
    finally:
        shutil.rmtree(root)


def test_quickstart_is_ready(bare: Bare) -> None:
    bare.run(QUICKSTART, PAYMENTS_BIND=f"127.0.0.1:{free_port()}")


def test_fast_tests_pass_without_root(bare: Bare) -> None:
    bare.run(FAST)
