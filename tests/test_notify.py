"""The notify socket, by path and by abstract name, and without a manager."""

import socket
from pathlib import Path

import pytest

from payments.notify import notify, watchdog_s


@pytest.mark.parametrize("name", ["{folder}/notify", "@payments-notify-test"])
def test_lines_are_sent_as_one_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    address = name.format(folder=".")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0"))
        notify("WATCHDOG=1", "STATUS=3 awake")
        assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=3 awake"


@pytest.mark.parametrize("address", ["", "./nobody", "@nobody", "x" * 500, "/"])
def test_a_manager_that_does_not_listen_is_no_reason_to_fail(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


@pytest.mark.parametrize(
    ("text", "seconds"), [("120000000", 120.0), ("1", 1e-6), ("0", None), ("", None), ("-1", None), ("soon", None)]
)
def test_watchdog_is_read_in_seconds(text: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", text)
    assert watchdog_s() == seconds


def test_without_a_watchdog_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert watchdog_s() is None
