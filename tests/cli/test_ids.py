"""A command acts on exactly the given id, whatever characters it has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import done, records, refused, run, settle
from tests.harness import HOST_A, Answering, Server, answering, file_store, running_server

IDS = ["x/../test-1", "q?x=1#y%2e", "test%2d1", "/", "//a/", "../..", "events", "a%", "\N{SNOWMAN} :warning:", "a;b&c"]
DOTS = [".", ".."]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An API with a session for each id."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        running.register()
        for session_id in ("test-1", "test-1/x", *IDS, *DOTS):
            running.report(session_id=session_id, upstream_addr=HOST_A, event="start")
        yield running


@pytest.mark.parametrize("session_id", IDS)
def test_session_elsewhere_is_the_one_that_was_named(server: Server, session_id: str) -> None:
    where = ("--api-url", server.url, "--token", Server.ADMIN)
    assert records(*where, "sessions", "show", session_id)[0]["session_id"] == session_id
    assert records(*where, "sessions", "explain", session_id)[0]["event"] == "start"


@pytest.mark.parametrize("session_id", [*IDS, *DOTS])
def test_session_here_is_the_one_that_was_named(
    server: Server, monkeypatch: pytest.MonkeyPatch, session_id: str
) -> None:
    settle(server.data.parent, monkeypatch, PAYMENTS_DATA_DIR=str(server.data))
    assert records("sessions", "show", session_id)[0]["session_id"] == session_id


@pytest.mark.parametrize("session_id", DOTS)
def test_dots_are_not_asked_for_over_http(server: Server, session_id: str) -> None:
    """Clients remove them from a URL, so another resource would be requested."""
    said = refused("--api-url", server.url, "--token", Server.ADMIN, "sessions", "show", session_id)
    assert "an id of dots alone cannot be requested over HTTP" in said


@pytest.mark.parametrize("name", ["zz/../orch-eu", "orch-eu/stats", "orch%2deu", "orch-eu?", "orch-eu#", ".", "..", ""])
@pytest.mark.parametrize("command", ["show", "disable"])
def test_no_other_orchestrator_is_shown_or_disabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    settle(tmp_path, monkeypatch)
    done("orchestrators", "add", "orch-eu")
    assert f'no orchestrator "{name}" is registered' in refused("orchestrators", command, name)
    assert records("orchestrators", "show", "orch-eu")[0]["enabled"] is True


def test_id_that_is_no_text_is_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = settle(tmp_path, monkeypatch)
    data.mkdir()
    file_store(data).close()
    for arguments in (("sessions", "show"), ("sessions", "explain"), ("orchestrators", "show")):
        result = run(*arguments, "\udcff")
        assert (result.exit_code, result.stdout) == (1, ""), result.output


@pytest.fixture
def stranger() -> Iterator[str]:
    """Address of a server that answers everything with JSON unlike Payments'."""
    with answering(_Stranger) as url:
        yield url


class _Stranger(Answering):
    def do_GET(self) -> None:  # noqa: N802
        self.answer(200, {"hello": "world", "sessions": 7, "events": [{}], "next_cursor": None})

    do_POST = do_PATCH = do_GET  # noqa: N815


@pytest.mark.parametrize(
    "arguments",
    [
        "sessions list", "sessions show x", "sessions explain x", "orchestrators list", "orchestrators show x",
        "orchestrators disable x", "orchestrators add x", "ledger balances", "payouts prepare -o pay.csv",
        "ledger adjust x 1 --reference r --note n",
    ],
)  # fmt: skip
def test_server_unlike_payments_is_named(
    stranger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("--api-url", stranger, *arguments.split())
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert "PAY-O06" in result.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("localhost:8081", '"localhost:8081" is not an http:// or https:// address', id="no-scheme"),
        pytest.param("http://h?", '"http://h?" is not an http:// or https:// address', id="query"),
        pytest.param("me:s3cret@127.0.0.1:1", "leave out user and password", id="password"),
    ],
)
def test_address_that_is_none_is_misuse(url: str, said: str) -> None:
    result = run("--api-url", url, "sessions", "list")
    assert result.exit_code == 2
    assert said in result.stderr
    assert "s3cret" not in result.stderr


def test_token_that_no_header_can_carry_is_an_error() -> None:
    result = run("--api-url", "http://127.0.0.1:1", "--token", "s3cret\N{EURO SIGN}", "sessions", "list")
    assert result.exit_code == 2
    assert "printable ASCII" in result.stderr
    assert "s3cret" not in result.stderr
