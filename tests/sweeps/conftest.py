from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sweeps.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cloud of this file's own: sweeps leave nothing as it was."""
    stage = Stage(tmp_path_factory.mktemp("sweep"))
    yield stage
    stage.close()
