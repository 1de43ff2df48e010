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

#: What needs one release only with CSE_REAL=once: losses of power and add-ons take long, the API is
#: asked for what does not change from one minor release to the next. The releases take turns, so
#: that both take about the same time; the newer one alone has the template of the package source.
_ONCE = {
    "tests/real/test_power_loss.py": KUBERNETES[0],
    "tests/real/test_addons.py": KUBERNETES[1],
    "tests/real/test_api.py": KUBERNETES[1],
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and choose which of them run."""
    for item in items:
        if item.nodeid.startswith("tests/real/"):
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.timeout(1200))
    if os.environ.get("CSE_REAL") == "once":
        twice = [item for item in items if _is_of_the_other_release(item.nodeid)]
        items[:] = [item for item in items if item not in twice]
        config.hook.pytest_deselected(items=twice)
    # So that never more than one cluster at a time loses its power: nothing else needs as much
    # of the processors, and a bootstrap that finds no time for minutes begins anew.
    items.sort(
        key=lambda item: not ("test_power_loss" in item.nodeid and KUBERNETES[0] in item.name)
    )


def _is_of_the_other_release(nodeid: str) -> bool:
    chosen = _ONCE.get(nodeid.partition("::")[0])
    return bool(chosen and _release(nodeid) not in ("", chosen))


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
