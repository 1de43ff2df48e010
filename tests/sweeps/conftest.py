from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sweeps.kills import FULL
from tests.sweeps.stage import Stage


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of a full sweep, whichever process did the work."""
    if not FULL:
        return
    terminalreporter.section(
        "operation | fault | borne, or converged after a crash | told | not reached"
    )
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, row in report.user_properties:
                if name == "sweep" and report.when == "call":
                    terminalreporter.write_line(" | ".join(map(str, row)))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cloud of this file's own: sweeps leave nothing as it was."""
    stage = Stage(tmp_path_factory.mktemp("sweep"))
    yield stage
    stage.close()
