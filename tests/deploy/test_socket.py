"""gunicorn on its unix socket: its owner, leftovers of a killed server, and which client address is trusted."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.proxy import Proxied
from tests.deploy.raw import an_event, is_served
from tests.harness import running_server, until
from tests.web.helpers import EVENTS, send

CONNECT_AS_NOBODY = """
import os, socket, sys
os.fchdir(int(sys.argv[1]))
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    socket.socket(socket.AF_UNIX).connect("api.sock")
except OSError as error:
    print(type(error).__name__)
"""


def test_socket_is_for_its_owner_and_group_only(proxied: Proxied) -> None:
    path = proxied.proxy.socket
    assert oct(stat.S_IMODE(path.stat().st_mode)) == "0o660"
    if os.geteuid() == 0:
        path.parent.chmod(0o755)
        folder = os.open(path.parent, os.O_RDONLY)
        command = [sys.executable, "-c", CONNECT_AS_NOBODY, str(folder)]
        try:
            run = subprocess.run(command, pass_fds=[folder], capture_output=True, text=True, check=True)
        finally:
            os.close(folder)
        assert run.stdout == "PermissionError\n"


def test_second_server_leaves_the_socket_of_the_first_alone(proxied: Proxied, tmp_path: Path) -> None:
    before = proxied.proxy.socket.stat().st_ino
    second = Proxied(tmp_path, proxied.proxy)
    try:
        assert second.process.wait(timeout=30) == 1
    finally:
        second.stop(signal.SIGKILL)
    assert f"Connection in use: {proxied.proxy.socket}" in second.log.read_text()
    assert proxied.proxy.socket.stat().st_ino == before
    assert is_served(proxied.proxy.socket)


def test_socket_of_a_killed_server_is_replaced_and_goes_with_the_next(proxied: Proxied) -> None:
    path = proxied.proxy.socket
    assert proxied.stop(signal.SIGKILL) == -signal.SIGKILL
    assert path.is_socket()
    # Immediately, while workers of the other server still listen.
    proxied.start()
    # nginx may have asked one of those.
    until(lambda: proxied.log.read_text().count("Listening at") == 2 and is_served(path))
    assert proxied.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize("is_believed", [False, True], ids=["alone", "behind-a-proxy"])
def test_forwarded_headers_mean_something_only_behind_a_proxy(tmp_path: Path, is_believed: bool) -> None:
    """Only the last address is trusted, because the proxy adds it."""
    with running_server(tmp_path, {"PAYMENTS_BEHIND_PROXY": str(is_believed)}) as server:
        server.halt()
        forged = {"x_forwarded_for": "10.1.1.1, 10.2.2.2", "forwarded": "for=10.3.3.3", "x_real_ip": "10.4.4.4"}
        claims = {"x_forwarded_proto": "https", "x_forwarded_host": "evil", "x_forwarded_prefix": "/evil"}
        # gunicorn's own headers: it would refuse two that contradict each other.
        claims |= {"x_forwarded_port": "1", "x_forwarded_ssl": "off", "x_forwarded_protocol": "http"}
        answer = send(server, "POST", EVENTS, an_event("s"), token=server.REPORTER, **forged, **claims)
        assert answer.status == 503
        [line] = [json.loads(each) for each in server.log.read_text().splitlines() if '"status": 503' in each]
        assert line["client"] == ("10.2.2.2" if is_believed else "127.0.0.1")
