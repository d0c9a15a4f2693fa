"""Commands that read and change: on local files, beside a running API, and through a remote API."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from payments.cli.output import FAILED, FAULTY, MISUSED
from payments.domain.ledger import Payout
from payments.settings import Settings
from tests.cli.command import done, records, refused, run, settle
from tests.harness import HOST_A, ROOT, Server, file_store, journal_path, running_server, stamps, uncoded

SETTINGS = {"PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.001"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder in the settings, and a folder without ``.env``."""
    return settle(tmp_path, monkeypatch)


def test_an_orchestrator_is_added_shown_and_disabled(folder: Path) -> None:
    added = records("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)[0]
    assert (added["orchestrator_id"], added["host_public_ip"], added["enabled"]) == ("orch-a", HOST_A, True)
    assert records("orchestrators", "show", "orch-a") == [added] == records("orchestrators", "list")
    assert records("orchestrators", "disable", "orch-a")[0]["enabled"] is False
    assert records("orchestrators", "disable", "orch-a", "--undo")[0]["enabled"] is True


def test_what_only_asks_begins_no_journal(folder: Path) -> None:
    """Otherwise a mistyped folder would show that nothing is owed."""
    for command in ("ledger balances", "sessions list", "ledger events", "orchestrators list"):
        assert f"{folder}/audit/ledger-events.log: there is no journal; set PAYMENTS_DATA_DIR" in refused(
            *command.split()
        )
    assert not folder.exists()


def test_what_records_says_that_it_begins_a_journal(folder: Path) -> None:
    add = ("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)
    assert [run(*add).stderr for _ in range(2)] == [
        f"payments: {folder}/audit/ledger-events.log: creating a new journal\npayments: orch-a registered\n",
        "payments: orch-a was registered already; the given fields are updated\n",
    ]  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that another user owns")
def test_root_keeps_its_hands_off_another_users_files(folder: Path) -> None:
    """The API could no longer read its own registry."""
    done("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    before = stamps(folder)
    for command in (["orchestrators", "add", "orch-b"], ["ledger", "balances"]):
        assert "belongs to nobody" in refused(*command)
    assert stamps(folder) == before


def test_an_adjustment_is_booked_once_and_shown(folder: Path) -> None:
    done("orchestrators", "add", "orch-a")
    for outcome in ("recorded", "duplicate"):
        booked = records("ledger", "adjust", "orch-a", "-0.25", "--reference", "r-1", "--note", "paid by hand")[0]
        assert (booked["outcome"], booked["balance"], booked["booked_by"]) == (outcome, "-0.25", 1)
    assert [each["delta"] for each in records("ledger", "events", "--reason", "adjustment")] == ["-0.25"]
    assert [each["balance"] for each in records("ledger", "balances")] == ["-0.25"]
    assert "paid by hand" in done("ledger", "events")


def test_entries_in_a_table_name_the_transaction_or_the_reference(folder: Path) -> None:
    done("orchestrators", "add", "orch-a")
    done("ledger", "adjust", "orch-a", "1", "--reference", "july-7", "--note", "n")
    store, tx_hash = file_store(folder), f"0x{'ab' * 32}"
    store.execute([Payout("orch-a", 10**17, tx_hash, None)])
    store.close()
    payout, adjustment = done("ledger", "events").splitlines()[1:]
    assert (tx_hash in payout.split(), "july-7" in adjustment.split()) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("orchestrators", "show", "nobody"), 'no orchestrator "nobody" is registered'),
        (("sessions", "show", "s-1"), 'no session "s-1" is known'),
        (("sessions", "explain", "s-1"), 'the journal has no session "s-1"'),
        (("ledger", "adjust", "nobody", "1", "--reference", "r", "--note", "n"), "is registered or was ever credited"),
        (("--api-url", "http://127.0.0.1:1", "orchestrators", "list"), "is the API running there?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_done_is_said_in_words(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    file_store(folder).close()
    result = run(*arguments)
    assert result.exit_code == FAILED
    assert complaint in result.stderr
    assert "Traceback" not in result.output


ADJUST = ("ledger", "adjust", "orch-a")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("ledger", "events", "--since", "yesterday"), "Invalid value for '--since': \"yesterday\" is not an RFC 3339"),
        (("ledger", "events", "--until", "x"), "Invalid value for '--until': "),
        (("ledger", "export", "--format", "csv", "--since", "x"), "Invalid value for '--since': "),
        ((*ADJUST, "abc", "--reference", "r", "--note", "n"), "Invalid value for 'AMOUNT': \"abc\" is not an amount"),
        ((*ADJUST, "0", "--reference", "r", "--note", "n"), "amount: Must not be zero"),
        ((*ADJUST, "1", "--reference", "", "--note", "n"), "reference: Must be 1 to 128 printable characters"),
        (("orchestrators", "add", "orch-a", "--host-public-ip", "300.1.1.1"), 'host_public_ip: "300.1.1.1" is not'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_malformed_is_a_wrong_command_line(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    file_store(folder).close()
    done("orchestrators", "add", "orch-a")
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (MISUSED, "")
    assert complaint in result.stderr


def test_every_refusal_is_said_once(folder: Path) -> None:
    done("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)
    done("ledger", "adjust", "orch-a", "1", "--reference", "r", "--note", "n")
    taken = refused("orchestrators", "add", "orch-b", "--host-public-ip", HOST_A)
    assert taken == f"payments: host_public_ip {HOST_A} belongs to orch-a already\n"
    again = refused("ledger", "adjust", "orch-a", "2", "--reference", "r", "--note", "n")
    assert again == 'payments: reference "r" was booked as 1 before, by entry 1\n'
    malformed = run("ledger", "adjust", "orch-a", "0", "--reference", "", "--note", "n").stderr
    assert malformed == (
        "payments: amount: Must not be zero, and below a trillion ETH.\n"
        "reference: Must be 1 to 128 printable characters.\n"
    )


def test_entries_of_a_time_are_shown(server: Server) -> None:
    everything = there(server, "ledger", "events")
    moment = everything[1]["timestamp"]
    assert (
        there(server, "ledger", "events", "--since", moment) + there(server, "ledger", "events", "--until", moment)
        == everything
    )


def test_bad_settings_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_POWER_PORT", "many")
    for arguments in (("config", "check"), ("orchestrators", "list"), ("ledger", "verify")):
        result = run(*arguments)
        assert result.exit_code == FAILED
        assert 'PAYMENTS_POWER_PORT: "many" is not a whole number' in result.stderr


def test_config_check_shows_every_setting_and_no_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENTS_API_ADMIN_TOKEN", "very-secret")
    monkeypatch.setenv("PAYMENTS_SESSION_REQUIRE_AWAKE", "true")
    result = run("config", "check", "--json")
    shown = json.loads(result.stdout)
    assert (shown["PAYMENTS_DATA_DIR"], shown["PAYMENTS_API_ADMIN_TOKEN"]) == (str(folder), "set")
    assert list(shown) == [each.metadata["name"] for each in fields(Settings)]
    assert shown["PAYMENTS_VIEWER_TOKENS"] == "not set"
    assert "very-secret" not in result.output
    assert "warning: PAY-C11 PAYMENTS_SESSION_REQUIRE_AWAKE" in result.stderr


ODD = {
    "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE": "0.00025", "PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE": "1",
    "PAYMENTS_POWER_METER_ENABLED": "yes", "PAYMENTS_POWER_PORT": "0080", "PAYMENTS_CREDIT_UNIT": r"it's # \'x\\",
    "PAYMENTS_DATA_DIR": "a b #c", "PAYMENTS_BIND": "[::1]:81", "PAYMENTS_VIEWER_TOKENS": "s3cret,s3cret-too",
}  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_what_config_check_shows_can_be_copied_into_env(
    folder: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """All settings without tokens, which are not shown."""
    for name, value in ODD.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    if as_json:
        shown = records("config", "check")[0]
        copied = {name: value for name, value in shown.items() if "TOKEN" not in name}
        assert (copied["PAYMENTS_POWER_CREDIT_ETH_PER_MINUTE"], copied["PAYMENTS_POWER_METER_ENABLED"]) == ("1", "true")
    else:
        text = done("config", "check")
        assert "PAYMENTS_SESSION_CREDIT_ETH_PER_MINUTE=0.00025\n" in text
        assert "# PAYMENTS_VIEWER_TOKENS is set\n" in text
        assert "s3cret" not in text
        Path(".env").write_text(text)
        copied = {}
    for name in ODD:
        monkeypatch.delenv(name)
    for name, value in copied.items():
        monkeypatch.setenv(name, value)
    assert replace(Settings.load(), viewer_tokens=settings.viewer_tokens) == settings


def plain_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


OBSTACLES: dict[str, Callable[[Path], dict[str, str]]] = {
    "no bootstrap file": lambda folder: {"BOOTSTRAP_ORCHESTRATORS_PATH": str(folder / "none")},
    "bootstrap file that is none": lambda folder: {"BOOTSTRAP_ORCHESTRATORS_PATH": str(plain_file(folder / "some"))},
    "file for a data folder": lambda folder: {"DATA_DIR": str(plain_file(folder / "some"))},
    "file above the data folder": lambda folder: {"DATA_DIR": str(plain_file(folder / "some") / "in" / "it")},
    "folder for a journal": lambda folder: {"LEDGER_JOURNAL_PATH": str(folder)},
    "broken registry": lambda folder: {"REGISTRY_PATH": str(plain_file(folder / "some"))},
    "folder for a registry": lambda folder: {"REGISTRY_PATH": str(folder)},
}


@pytest.mark.parametrize("lay", OBSTACLES.values(), ids=OBSTACLES)
def test_config_check_says_what_stops_a_start_as_the_start_does(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay: Callable[[Path], dict[str, str]]
) -> None:
    for name, value in lay(tmp_path).items():
        monkeypatch.setenv(f"PAYMENTS_{name}", value)
    before = sorted(tmp_path.rglob("*"))
    found = refused("config", "check")
    assert sorted(tmp_path.rglob("*")) == before
    started = subprocess.run(
        [sys.executable, "-m", "payments.web.preflight"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert started.returncode == 1
    said = started.stderr.split("payments: cannot start:\n")[1]
    reason = re.search(r"\([A-Z][a-z ]+\)", said)
    assert (reason[0] if reason else said) in found.replace("payments: ", "", 1)


def test_bootstrap_record_that_takes_a_host_is_found_and_one_that_is_known_is_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done("orchestrators", "add", "orch-a", "--host-public-ip", HOST_A)
    file = tmp_path / "bootstrap.json"
    monkeypatch.setenv("PAYMENTS_BOOTSTRAP_ORCHESTRATORS_PATH", str(file))
    file.write_text(json.dumps([{"orchestrator_id": "orch-a", "host_public_ip": HOST_A}]))
    done("config", "check")
    file.write_text(json.dumps([{"orchestrator_id": "orch-b", "host_public_ip": HOST_A}]))
    said = refused("config", "check")
    assert f"host_public_ip {HOST_A} belongs to orch-a already" in said
    assert said.strip() == f"payments: {refused('orchestrators', 'list').strip().removeprefix('payments: ')}"


def test_projection_that_cannot_be_written_is_warned_of(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENTS_BALANCES_PATH", str(plain_file(tmp_path / "file") / "b.json"))
    result = run("config", "check")
    assert (result.exit_code, "b.json cannot be brought up to date" in result.stderr) == (0, True)


def test_verify_does_not_take_what_one_owes_off_what_another_is_owed(folder: Path) -> None:
    for name, amount in (("orch-a", "2"), ("orch-b", "-0.5"), ("orch-c", "0.25")):
        done("orchestrators", "add", name)
        done("ledger", "adjust", name, amount, "--reference", "r-1", "--note", "n")
    found = records("ledger", "verify")[0]
    assert (found["owed"], found["overdrawn"]) == ("2.25", "0.5")


def test_verify_finds_what_was_changed(folder: Path) -> None:
    done("orchestrators", "add", "orch-a")
    done("ledger", "adjust", "orch-a", "1", "--reference", "r-1", "--note", "n")
    assert records("ledger", "verify")[0]["owed"] == "1"
    path = journal_path(folder)
    path.write_bytes(path.read_bytes().replace(b'"delta":"1"', b'"delta":"2"'))
    result = run("ledger", "verify")
    assert result.exit_code == FAULTY
    assert f"{path}, line 1 (byte 0): its checksum does not fit its content" in result.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An API with two sessions, one of them ended."""
    with running_server(tmp_path_factory.mktemp("server"), SETTINGS) as running:
        running.register()
        for kind in ("start", "heartbeat", "end"):
            running.report(session_id="s-1", upstream_addr=HOST_A, event=kind, occurred_at=None)
        running.report(session_id="s-2", upstream_addr=HOST_A, event="start")
        yield running


def there(server: Server, *arguments: str) -> list[dict[str, Any]]:
    """Output of a command through the API at ``server``."""
    return records("--api-url", server.url, "--token", server.ADMIN, *arguments)


def here(server: Server, *arguments: str) -> list[dict[str, Any]]:
    """Output of a command in another process on the files of the running ``server``."""
    command = [sys.executable, "-m", "payments.cli", *arguments, "--json"]
    environment = {**os.environ, "PAYMENTS_DATA_DIR": str(server.data), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=server.data)
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    "arguments",
    [
        ("sessions", "list"), ("sessions", "list", "--status", "ended"), ("sessions", "show", "s-1"),
        ("sessions", "explain", "s-1"), ("ledger", "balances"), ("ledger", "events", "--all"),
        ("orchestrators", "list"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_shows_the_same_here_and_there(server: Server, arguments: tuple[str, ...]) -> None:
    shown = there(server, *arguments)
    assert shown == here(server, *arguments)
    assert shown


def test_explain_accounts_for_all_of_a_session(server: Server) -> None:
    session = server.get("/api/sessions/s-1")
    *intervals, sums = there(server, "sessions", "explain", "s-1")
    assert [each["event"] for each in intervals] == ["start", "heartbeat", "end"]
    assert (sums["ms"], sums["amount"]) == (session["account"]["elapsed_ms"], session["billed_eth"])
    assert sum(each["ms"] for each in intervals) == sums["ms"]


def test_pages_are_followed_to_the_end_or_the_limit(server: Server) -> None:
    everything = there(server, "ledger", "events", "--all")
    assert there(server, "ledger", "events", "--limit", "2") == everything[:2]
    assert [each["seq"] for each in everything] == list(range(len(everything), 0, -1))


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
@pytest.mark.parametrize("what", ["ledger events", "sessions list"])
def test_a_list_that_is_cut_off_says_so(server: Server, what: str, form: tuple[str, ...]) -> None:
    command = ("--api-url", server.url, "--token", server.ADMIN, *what.split(), *form)
    count = len(there(server, *what.split()))
    cut = run(*command, "--limit", str(count - 1))
    assert cut.stderr == f"payments: showing {count - 1}; use --all for the rest\n"
    assert len(cut.stdout.splitlines()) == count - 1 + (form == ())
    for all_of_it in (("--limit", str(count)), ("--all",), ()):
        assert run(*command, *all_of_it).stderr == ""


READ, CHANGE = ("sessions", "list"), ("orchestrators", "add", "orch-z")


@pytest.mark.parametrize(
    ("token", "command", "said"),
    [
        (("--token", "wrong"), READ, "the token is not valid there; give a viewer's or an admin's, by --token"),
        (("--token", Server.VIEWER), CHANGE, "the token is valid, but this call needs an admin's"),
        ((), CHANGE, "the token is missing; give an admin's, by --token or PAYMENTS_API_TOKEN"),
    ],
    ids=["wrong", "viewer's", "none"],
)  # fmt: skip
def test_a_token_that_does_not_do_is_told_in_words_of_the_command_line(
    server: Server, token: tuple[str, ...], command: tuple[str, ...], said: str
) -> None:
    told = refused("--api-url", server.url, *token, *command)
    assert told.startswith(f"payments: {server.url}: {said}")
    assert "X-Admin-Token" not in told


def test_a_password_in_netrc_does_not_displace_the_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password another\n")
    (tmp_path / "netrc").chmod(0o600)
    assert there(server, *READ)


@pytest.mark.parametrize("command", [READ, CHANGE, ("sessions", "show", "s-1")], ids=" ".join)
def test_a_wrong_path_in_the_address_is_an_error(server: Server, command: tuple[str, ...]) -> None:
    told = refused("--api-url", f"{server.url}/payments/", "--token", server.ADMIN, *command)
    assert uncoded(told).startswith(f"payments: {server.url}/payments/api/")
    assert "no such path; is --api-url (PAYMENTS_API_URL) right?" in told
    assert "--api-url" not in refused(
        "--api-url", server.url, "--token", server.ADMIN, "orchestrators", "show", "nobody"
    )
