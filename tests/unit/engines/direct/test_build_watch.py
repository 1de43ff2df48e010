"""Waiting for the VM of a template: what ends the wait, and with which reason."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

import pytest

from cse_client.engines.direct.node_templates.watch import BuildWatch, Built
from cse_client.errors import GuestFailed, TimedOut
from cse_client.model import VApp, Vm, silent
from tests.support.clock import FakeClock

LOG = base64.b64encode(
    b"one\n2026 FAILED in phase source (rc 1): cannot reach pkgs.k8s.io: no way out.\n"
).decode()


def vm(
    status: str = "POWERED_ON",
    told: Mapping[str, str] | None = None,
    customization: str = "GC_COMPLETE",
) -> Vm:
    """Return the VM as it is seen once; `told` are its reports, None: not visible."""
    info = None if told is None else {f"guestinfo.cse.{key}": told[key] for key in told}
    return Vm("template", "h", status, customization=customization, guestinfo=info)


def report(status: str, phase: str, **more: str) -> dict[str, str]:
    return {"status": status, "phase": phase, **more}


def watch(*looks: Vm, seconds: float = 36000) -> BuildWatch:
    """Return a watch that sees the VM so, one look after the other, and then as last time."""
    clock = FakeClock()

    def seen() -> Iterator[Vm]:
        yield from looks
        while True:
            yield looks[-1]

    states = seen()
    return BuildWatch(
        look=lambda: VApp("v", "h", "i", "POWERED_ON", True, vms=(next(states),)),
        progress=silent,
        clock=clock,
        deadline=clock.monotonic() + seconds,
        identity="b1",
    )


INSTALLING = vm(told=report("running", "packages"))
VERSIONS = {"kubernetes": "1.37.2", "os": "ubuntu-24.04"}


@pytest.mark.parametrize(
    ("looks", "built"),
    [
        (
            [INSTALLING, vm(told=report("ready", "done", **VERSIONS))],
            Built("1.37.2", "ubuntu-24.04", verified=True),
        ),
        (
            [INSTALLING, vm(told=report("running", "seal", **VERSIONS)), vm("POWERED_OFF")],
            Built("1.37.2", "ubuntu-24.04", verified=True),
        ),
        ([vm(), vm("POWERED_OFF")], Built(verified=False)),
        ([vm("POWERED_OFF")], Built(verified=False)),
        (
            [vm("POWERED_OFF", {"id": "b1 template", "status": "- ", **VERSIONS})],
            Built("1.37.2", "ubuntu-24.04", verified=True),
        ),
        # whoever is root in the VM writes what he likes
        (
            [vm(told=report("ready", "done", kubernetes="1.37; rm", os="\x1b[2J"))],
            Built("", "", verified=True),
        ),
    ],
    ids=[
        "its report",
        "off after the last phase",
        "off, and no reports visible",
        "off from the start",
        "its report taken back",
        "nonsense",
    ],
)
def test_the_wait_ends_when_the_vm_is_sealed(looks: list[Vm], built: Built) -> None:
    assert watch(*looks).wait() == built


@pytest.mark.parametrize(
    ("looks", "text", "hint"),
    [
        (
            [INSTALLING, vm(told=report("failed", "source", rc="1", error=LOG))],
            "The build failed in phase 'source' (exit code 1): cannot reach pkgs.k8s.io: no way"
            " out.",
            "",
        ),
        (
            [INSTALLING, vm("POWERED_OFF")],
            "The VM was powered off in phase 'packages'.",
            "",
        ),
        (
            [vm("POWERED_OFF", {"id": "other template", "status": "-"}, "GC_PENDING")],
            "The VM was powered off before the build began.",
            "",
        ),
        (
            [vm(customization="GC_FAILED")],
            "VCD reports that guest customization of the VM failed before the build could start.",
            "enable-custom-scripts true",
        ),
        (
            [vm(customization="GC_PENDING")],
            "The build has not started 600 s after the VM was powered on; last seen:"
            " customization (GC_PENDING).",
            "disable_vmware_customization: false",
        ),
        # reports are visible, and there is none: something has swallowed the script
        (
            [vm(told={"other": "x"})],
            "The build has not started 600 s after the VM was powered on; last seen:"
            " customization (GC_COMPLETE).",
            "disable_vmware_customization: false",
        ),
        (
            [INSTALLING],
            "The build made no progress for 1500 s; last seen: phase 'packages'.",
            "",
        ),
    ],
    ids=[
        "its report",
        "powered off",
        "another build's",
        "customization",
        "no tools",
        "swallowed",
        "stuck",
    ],
)
def test_a_failure_names_the_cause(looks: list[Vm], text: str, hint: str) -> None:
    with pytest.raises(GuestFailed) as caught:
        watch(*looks).wait()
    message = caught.value.message
    for seconds in (600, 1500):
        for late in range(1, 6):
            message = message.replace(f" {seconds + late} s", f" {seconds} s")
    assert message == text
    assert hint in caught.value.hint


def test_a_vm_whose_reports_are_hidden_has_all_the_time_there_is() -> None:
    with pytest.raises(TimedOut, match="not built in time"):
        watch(vm(), seconds=7200).wait()


def test_a_vm_that_disappears_ends_the_wait() -> None:
    with pytest.raises(GuestFailed, match="disappeared"):
        watch(Vm("other", "h", "POWERED_ON")).wait()
