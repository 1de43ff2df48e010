"""A simulated cloud whose machines run a real Kubernetes, and one cluster for each release.

Everything has its addresses in a network namespace of the simulator's own; what a test starts
there goes through `Site`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator.guest.real import Kit, read_kits, what_is_missing
from tests.real.build.components import KUBERNETES
from tests.real.build.kit import kit_folder
from tests.real.build.places import cache_folder
from tests.real.site import CLUSTER, Site
from tests.support.programs import VCD
from tests.support.simulator import start_simulator, stop_simulator

_OLDER, _NEWER = KUBERNETES
#: Files and tests that run on one release only with CSE_REAL=once: both pass them alike. They
#: are shared out so that both releases take about the same time, the tests included that exist for
#: one of them anyway: upgrades begin with the older one, templates and virtual addresses need the
#: newer one. What runs on none (None) takes minutes, and tests/e2e has its twin with a simulator.
#: What is not named runs on both: creation, pods, rights and the judges.
_ONCE = {
    "tests/real/test_addons.py": _NEWER,
    "tests/real/test_api.py": _OLDER,
    "tests/real/test_backup.py": _NEWER,
    "tests/real/test_backup.py::test_three_control_planes_are_restored_without_a_quorum": None,
    "tests/real/test_diagnosis.py": _NEWER,
    "tests/real/test_drain.py": _OLDER,
    "tests/real/test_files.py": None,
    "tests/real/test_nodes.py": _OLDER,
    "tests/real/test_pools.py": _OLDER,
    "tests/real/test_power.py": _OLDER,
    "tests/real/test_power_loss.py": _NEWER,
    "tests/real/test_upgrade_in_place.py": None,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and choose which of them run."""
    for item in items:
        if item.nodeid.startswith("tests/real/"):
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.timeout(1200))
    if os.environ.get("CSE_REAL") == "once":
        left_out = [item for item in items if not _is_tested_once(item.nodeid)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    # So that never more than one cluster at a time loses its power: nothing else needs as much
    # of the processors, and a bootstrap that finds no time for minutes begins anew.
    items.sort(key=lambda item: not ("test_power_loss" in item.nodeid and _OLDER in item.name))


def _is_tested_once(nodeid: str) -> bool:
    """Return whether a test runs with CSE_REAL=once: on all releases, or on the one of its row."""
    test = nodeid.partition("[")[0]
    row = next((one for one in (test, test.partition("::")[0]) if one in _ONCE), "")
    return not row or _release(nodeid) in ("", _ONCE[row])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of a release to one process: they share a cloud.

    Groups that markers name do not work with pytest 9 and pytest-xdist 3.8.
    """
    from xdist.scheduler import LoadScopeScheduling

    if config.getvalue("dist") != "loadgroup":
        return None
    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _release
    return scheduling


def _release(nodeid: str) -> str:
    return next((one for one in KUBERNETES if f"[{one}" in nodeid), "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured; say in a line of its own what was not tested, and why."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties:
            if name == "measured" and report.when == "call":
                terminalreporter.line(f"measured: {value}")
    skipped = {
        reason: pytest_report
        for pytest_report in terminalreporter.stats.get("skipped", ())
        if pytest_report.nodeid.startswith("tests/real/")
        for reason in [str(pytest_report.longrepr[2]).removeprefix("Skipped: ")]
    }
    if skipped:
        terminalreporter.section("a real Kubernetes was NOT TESTED", sep="!", red=True)
        for reason in skipped:
            terminalreporter.line(reason, red=True)


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Have what was measured printed at the end of the run: what it is, and the value."""
    return lambda what, value: record_property("measured", f"{what}: {value}")


@pytest.fixture(scope="session", params=KUBERNETES)
def kit(request: pytest.FixtureRequest) -> Kit:
    """The programs and images of a release."""
    version: str = request.param
    missing = what_is_missing()
    if missing:
        pytest.skip(missing)
    kits = kit_folder(cache_folder())
    if not (kits / version).is_dir():
        pytest.skip(
            f"Kubernetes {version} is not in {kits}: build it with `python -m tests.real.build`."
        )
    return next(one for one in read_kits(kits) if one.folder.name == version)


@pytest.fixture(scope="session")
def site(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cloud, and a home that is logged in to it."""
    folder = tmp_path_factory.mktemp(kit.version)
    disks = _new_disks_folder()
    process, cloud = start_simulator(
        folder,
        *("--guests", "real", "--real-dir", str(kit.folder.parent)),
        environment={"TMPDIR": str(disks)},
    )
    try:
        site = Site(process.pid, cloud, folder / "home", disks, kit)
        site.log_in()
        yield site
    finally:
        stop_simulator(process)
        shutil.rmtree(disks, ignore_errors=True)


def _new_disks_folder() -> Path:
    """Return a folder in the cache's file system, so that disks share the images with the kit.

    What runs that were killed left there is removed.
    """
    for left in cache_folder().glob("disks-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"disks-{os.getpid()}-", dir=cache_folder()))


@pytest.fixture(scope="session")
def cluster(site: Site) -> dict[str, Any]:
    """A cluster of a control plane and two workers: what its creation by `vcd` printed."""
    made = site.run(
        *(VCD, "-j", "cse", "cluster", "create", CLUSTER, "-n", "net1", "-N", "2"),
        *("-t", site.kit.template),
    )
    if made.code:
        logs = "\n".join(f"== {name}\n{log}" for name, log in site.bootstrap_logs().items())
        pytest.fail(f"{made.err}\n{logs}")
    site.kubeconfig.touch(0o600)
    site.kubeconfig.write_text(
        site.vcd("cse", "cluster", "config", CLUSTER).checked(), encoding="utf-8"
    )
    created: dict[str, Any] = json.loads(made.out)
    return created
