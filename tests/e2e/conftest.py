"""A running simulator, and users who are logged in to it.

One simulator serves all tests of a run; each test has a home and a cluster of its own. Set
CSE_E2E_HOST, CSE_E2E_ORG, CSE_E2E_USER, CSE_E2E_PASSWORD and CSE_E2E_CA to run the tests that need
no simulator's tricks against a real VMware Cloud Director.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Result, clean_environment
from tests.support.simulator import Cloud, Control, Login, running_simulator


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The cloud of this run."""
    if "CSE_E2E_HOST" in os.environ:
        names = ("host", "org", "user", "password", "ca")
        told = {name: os.environ[f"CSE_E2E_{name.upper()}"] for name in names}
        yield Cloud(**told, others={})
        return
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--guest-speed", "30") as cloud:
        yield cloud


@pytest.fixture
def simulator(cloud: Cloud) -> Cloud:
    """The cloud, for tests that can do with nothing but a simulator."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    return cloud


@pytest.fixture
def control(simulator: Cloud) -> Iterator[Control]:
    """The simulator's control endpoint; faults end with the test."""
    control = Control(simulator)
    control.ask("DELETE", "journal")
    yield control
    control.ask("DELETE", "faults")


@pytest.fixture
def nothing_created(control: Control) -> Iterator[None]:
    """Check that a test leaves everything in the cloud as it was."""
    before = control.possessions()
    yield
    assert control.possessions() == before


@pytest.fixture(scope="session")
def login(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Login:
    """The administrator's session."""
    return Login(cloud, tmp_path_factory.mktemp("login"))


@pytest.fixture
def environment(home: Path, cloud: Cloud) -> dict[str, str]:
    """The environment of somebody who trusts the cloud's certificate."""
    return {**clean_environment(home), **cloud.environment()}


@pytest.fixture
def logged_in(home: Path, login: Login) -> Path:
    """A home with a session of the organisation administrator."""
    login.put_into(home)
    return home


@pytest.fixture
def cse(vcd: Callable[..., Result], logged_in: Path) -> Callable[..., Result]:
    """Run `cse ...` as the organisation administrator."""

    def start(*words: str, options: tuple[str, ...] = (), **settings: Any) -> Result:
        return vcd(*options, "cse", *words, **settings)

    return start
