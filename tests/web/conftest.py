"""The servers of this folder's modules."""

from collections.abc import Iterator

import pytest

from tests.harness import Server, running_server


@pytest.fixture(scope="module")
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of one module share, with what its ``SETTINGS`` add and its ``seed`` put in the data
    folder. Whatever they sent it, its log must end up without a traceback and without a token."""
    folder = tmp_path_factory.mktemp("server")
    getattr(request.module, "seed", lambda _: None)(folder / "data")
    with running_server(folder, getattr(request.module, "SETTINGS", None)) as running:
        yield running
    log = running.log.read_text()
    assert "Traceback" not in log
    assert [token for token in (running.REPORTER, running.VIEWER, running.ADMIN) if token in log] == []
