"""A journal of sixteen entries, made once."""

import pytest

from tests.store.file.history import History, live


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Sixteen entries, one a commit: five sessions, two orchestrators, a restart, a move, an unknown host."""
    return live(tmp_path_factory.mktemp("history"))
