"""What all tests share: a home of their own, and `vcd` as its user starts it."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cse_client import suggest
from tests.support.programs import ROOT, VCD, Result, Workstation, clean_environment

# A shell starts a background job with SIGINT ignored, nohup with SIGHUP, and whatever a test starts
# would inherit that: both are tested here, however the tests themselves were started.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Four processes on two processors: how long an example takes says nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_MEMORY = "/dev/shm"
_ROOM = 2**30


def _keep_temporary_files_in_memory() -> None:
    """Use a file system in memory where there is one with room, and nobody has chosen a folder.

    A guest's disk is hundreds of small files, and a run makes and removes hundreds of disks.
    """
    try:
        memory = os.statvfs(_MEMORY)
    except OSError:
        return
    room = memory.f_bavail * memory.f_frsize
    # A guest's folders cannot be bound read-only from a file system that is mounted so.
    unfit = memory.f_flag & (os.ST_NODEV | os.ST_NOEXEC | os.ST_NOSUID)
    if room > _ROOM and not unfit and os.access(_MEMORY, os.W_OK):
        os.environ.setdefault("TMPDIR", _MEMORY)
        tempfile.tempdir = None


_keep_temporary_files_in_memory()


#: Files with few and long tests: begun first, so that no process is left alone with one at the end.
_LONG = ("tests/sweeps/", "tests/property/", "tests/e2e/server/", "tests/e2e/test_guest_faults.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; otherwise the order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


#: Tests that run nothing of the product in their own process; programs are measured by themselves.
_UNMEASURED = frozenset(
    ROOT / "tests" / name for name in ("bootstrap", "e2e", "simulator", "sweeps")
)


@pytest.fixture(scope="module", autouse=True)
def unmeasured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let coverage not look on where it sees nothing of the product: that takes time."""
    from coverage import Coverage

    measuring = Coverage.current()
    if measuring is None or _UNMEASURED.isdisjoint(request.path.parents):
        yield
        return
    measuring.stop()
    yield
    measuring.start()


@pytest.fixture(autouse=True)
def no_target() -> None:
    """Forget where an earlier test's run acted."""
    suggest.aim(suggest.Target())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder in which vcd-cli knows our extension."""
    folder = tmp_path / "home"
    (folder / ".vcd-cli").mkdir(parents=True)
    example = (ROOT / "profiles.example.yaml").read_text(encoding="utf-8")
    (folder / ".vcd-cli" / "profiles.yaml").write_text(example, encoding="utf-8")
    return folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The environment of programs that a test starts; a test may change it."""
    return clean_environment(home)


@pytest.fixture
def run(home: Path, environment: dict[str, str]) -> Callable[..., Result]:
    """Run a program in the private home; `env` adds to its environment."""

    return Workstation(home, environment).run


@pytest.fixture
def vcd(run: Callable[..., Result]) -> Callable[..., Result]:
    """Run the installed `vcd` program."""

    def start(*words: str, **settings: object) -> Result:
        return run(VCD, *words, **settings)

    return start
