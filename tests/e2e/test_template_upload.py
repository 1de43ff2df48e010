"""OVA files that are uploaded: what becomes of them, and what a failure leaves behind."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ova import DISK, cloud_image
from tests.support.programs import VCD, Result, command_line
from tests.support.simulator import Cloud, Control, Login, log_in
from tests.support.waiting import until

Run = Callable[..., Result]

NAME = "noble"
UPLOAD = ("template", "upload", "cse", NAME, "noble.ova")
FAILED, USAGE, NOT_FOUND, REFUSED, UNFINISHED = 1, 2, 3, 4, 5
#: Three pieces: the first has 1 MiB, the next one twice that.
IMAGE = bytes(range(256)) * 4096 * 4


@pytest.fixture
def ova(home: Path) -> Path:
    return cloud_image(home / "noble.ova", IMAGE)


@pytest.fixture(autouse=True)
def _removed(cse: Run, control: Control) -> Iterator[None]:
    yield
    control.ask("DELETE", "faults")
    if NAME in items(control):
        assert cse("template", "delete", f"cse/{NAME}", "--yes").code == 0


def items(control: Control) -> dict[str, Any]:
    found: dict[str, Any] = control.get("state")["catalogs"]["cse"]["items"]
    return found


@pytest.mark.usefixtures("ova")
def test_an_uploaded_image_is_a_template_to_build_from(cse: Run, control: Control) -> None:
    done = cse(*UPLOAD)
    assert done.code == 0, done.err
    assert done.out.startswith(f"Template cse/{NAME} is uploaded: 4 MB, ")
    assert "Upload noble.ova: 100 %, 4.0 of 4.0 MB, " in done.err
    assert items(control)[NAME]["uploaded"][DISK] == hashlib.sha256(IMAGE).hexdigest()
    pieces = [one for one in control.requests() if one.startswith("PUT /transfer/")]
    assert len(pieces) == 4
    plan = cse(
        *("template", "build", "t1", "--from", f"cse/{NAME}", "-n", "net1"),
        *("--kubernetes", "1.37", "--catalog", "cse", "--dry-run"),
    )
    assert plan.code == 0, plan.err

    again = cse(*UPLOAD)
    assert (again.code, again.out) == (FAILED, "")
    assert f"Catalog 'cse' already has a template '{NAME}'." in again.err


FAULTS = [
    (
        {"kind": "status", "status": 403, "html": True},
        FAILED,
        "got HTTP 403 and text/html, which is not a VCD answer",
    ),
    ({"kind": "status", "status": 403}, REFUSED, "Or a proxy between here and VCD refuses uploads"),
    ({"kind": "reset_before"}, FAILED, "Cannot upload 'noble.vmdk'"),
    ({"kind": "reset_after"}, FAILED, "Cannot upload 'noble.vmdk'"),
    ({"kind": "status", "status": 416}, FAILED, "Cannot upload 'noble.vmdk'"),
]


@pytest.mark.usefixtures("nothing_created", "ova")
@pytest.mark.parametrize(("fault", "code", "message"), FAULTS)
def test_the_first_piece_that_fails_ends_the_upload(
    cse: Run, control: Control, fault: dict[str, Any], code: int, message: str
) -> None:
    control.set("faults", method="PUT", path="/transfer/.*vmdk", at=2, **fault)
    failed = cse(*UPLOAD)
    assert (failed.code, failed.out) == (code, "")
    text = " ".join(failed.err.split())
    assert message in text
    assert "Note: The unfinished item is deleted." in text
    pieces = [one for one in control.requests() if one.endswith("/noble.vmdk")]
    assert len(pieces) == 2


@pytest.mark.usefixtures("nothing_created", "ova")
def test_what_vcd_cannot_import_is_deleted(cse: Run, control: Control) -> None:
    control.set("faults", kind="task", operation="vdcUploadOvfContents", message="No space left.")
    failed = cse(*UPLOAD)
    assert (failed.code, failed.out) == (FAILED, "")
    assert "failed: No space left" in failed.err
    assert "Note: The unfinished item is deleted." in failed.err


@pytest.mark.usefixtures("ova")
def test_a_session_that_ends_leaves_an_item_that_the_next_run_deletes(
    cse: Run, control: Control, login: Login, home: Path
) -> None:
    control.set("faults", kind="expire_session", method="PUT", path="/transfer/.*vmdk", at=2)
    failed = cse(*UPLOAD)
    assert (failed.code, failed.out) == (REFUSED, "")
    assert "The session at" in failed.err
    assert "The unfinished item is still in the catalog." in failed.err
    login.forget()
    login.put_into(home)
    assert items(control)[NAME]["status"] == "UNRESOLVED"
    done = cse(*UPLOAD)
    assert done.code == 0, done.err
    assert f"Deleting the unfinished item '{NAME}' of an earlier upload." in done.err


def start(home: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line(VCD, "cse", *UPLOAD),
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def held(control: Control, home: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start an upload whose second piece hangs until the faults are deleted."""
    control.set("faults", kind="hold", method="PUT", path="/transfer/.*vmdk", at=2)
    process = start(home, environment)
    until(lambda: any(one["hit"] for one in control.get("faults")))
    return process


@pytest.mark.usefixtures("ova", "logged_in")
def test_an_upload_that_goes_on_is_left_alone(
    cse: Run, control: Control, home: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    first = held(control, home, environment)
    mine = cse(*UPLOAD)
    assert (mine.code, mine.out) == (FAILED, "")
    assert "is changing template 'noble' (process" in mine.err
    control.requests()
    elsewhere = start(home, environment | {"XDG_STATE_HOME": str(tmp_path)})
    # it has found the item, and looks whether that goes on
    until(lambda: any("/vAppTemplate/" in one for one in control.requests()))
    until(lambda: any("/vAppTemplate/" in one for one in control.requests()))
    control.ask("DELETE", "faults")
    err = elsewhere.communicate(timeout=60)[1]
    assert elsewhere.returncode == FAILED
    assert "is being uploaded to catalog 'cse' by another command." in err
    err = first.communicate(timeout=60)[1]
    assert first.returncode == 0, err


@pytest.mark.usefixtures("ova")
def test_an_item_of_a_lost_answer_is_deleted_by_the_next_run(cse: Run, control: Control) -> None:
    control.set("faults", kind="reset_after", method="POST", path=".*/action/upload")
    failed = cse(*UPLOAD)
    assert (failed.code, failed.out) == (FAILED, "")
    assert "Note: If there is an unfinished item, the same command deletes it." in failed.err
    control.ask("DELETE", "faults")
    assert items(control)[NAME]["status"] == "UNRESOLVED"
    done = cse(*UPLOAD)
    assert done.code == 0, done.err
    assert f"Deleting the unfinished item '{NAME}' of an earlier upload." in done.err


@pytest.mark.usefixtures("ova", "nothing_created")
def test_ctrl_c_deletes_the_half_item(
    control: Control, home: Path, environment: dict[str, str], logged_in: Path
) -> None:
    process = held(control, home, environment)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    control.ask("DELETE", "faults")
    assert (process.returncode, out) == (UNFINISHED, "")
    assert "Interrupted; template 'noble' is not uploaded." in err
    assert "Its unfinished item is deleted." in err


@pytest.mark.usefixtures("nothing_created")
def test_uploads_that_are_refused_before_they_begin(
    cse: Run, control: Control, simulator: Cloud, ova: Path, home: Path
) -> None:
    missing = cse("template", "upload", "nope", NAME, "noble.ova")
    assert (missing.code, missing.out) == (NOT_FOUND, "")
    assert "There is no catalog 'nope' that you can see; available: cse, images." in missing.err
    url = cse("template", "upload", "cse", NAME, "https://example.com/noble.ova")
    assert (url.code, url.out) == (USAGE, "")
    assert "is a URL, and VCD cannot fetch an OVA file by itself." in url.err
    log_in(simulator, home, user="author", password=simulator.others["author"])
    refused = cse(*UPLOAD)
    assert (refused.code, refused.out) == (REFUSED, "")
    assert "You may not upload templates to catalog 'cse'." in refused.err
    ova.write_bytes(ova.read_bytes()[:1_000_000])
    cut = cse(*UPLOAD)
    assert (cut.code, cut.out) == (USAGE, "")
    assert "is incomplete: it ends within or after 'noble.vmdk'" in cut.err
    assert not [one for one in control.requests() if "action/upload" in one]
