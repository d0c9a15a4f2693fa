"""The API that this folder's modules share, in this process (``api``) or by gunicorn (``shared_server``)."""

from collections.abc import Iterator

import pytest

from tests.harness import Server, running_server
from tests.web.api import Api, running_api


@pytest.fixture(scope="module")
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Shared by the tests of a module, with its ``SETTINGS``, on a data folder that its ``seed`` has filled.

    After all of its tests, the log must have no traceback and no token.
    """
    folder = tmp_path_factory.mktemp("api")
    getattr(request.module, "seed", lambda _: None)(folder / "data")
    with running_api(folder, getattr(request.module, "SETTINGS", None)) as running:
        yield running
    _check_log(running)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As ``api``, by gunicorn on an empty data folder."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running
    _check_log(running)


def _check_log(running: Api | Server) -> None:
    log = running.log.read_text()
    assert "Traceback" not in log
    assert [token for token in (running.REPORTER, running.VIEWER, running.ADMIN) if token in log] == []
