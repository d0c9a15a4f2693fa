"""nginx and gunicorn for the modules of this folder."""

import os
from collections.abc import Iterator

import pytest

from tests.deploy.proxy import Proxied, running_behind_proxy

collect_ignore = [] if os.environ.get("PAYMENTS_TEST_MACHINES") else ["test_bare_debian.py"]
"""Minutes for each machine, so only where they are asked for."""


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """A server behind nginx, shared by the tests of a module. At the end, no log may contain a token or a
    traceback."""
    with running_behind_proxy(tmp_path_factory.mktemp("site")) as running:
        running.register()
        yield running
    text = running.log.read_text() + running.proxy.log.read_text() + running.proxy.errors.read_text()
    assert "Traceback" not in text
    assert [token for token in (running.REPORTER, running.VIEWER, running.ADMIN) if token in text] == []
