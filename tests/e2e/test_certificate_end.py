"""The certificate of a cluster's API server ends a year after its creation, or is renewed."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from cryptography import x509

from tests.support.people import Person, person
from tests.support.programs import VCD
from tests.support.simulator import Cloud, Control

NAME = "ending"
DAY = 86_400
CURE = f"cse cluster renew {NAME}"


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """An administrator with a cluster of this file's own."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    admin = person(cloud, tmp_path_factory.mktemp("ending"))
    code, _out, err = admin.cluster("create", NAME, "-n", "net1", "-N", "1")
    assert code == 0, err
    yield admin
    admin.cluster("delete", NAME, "--yes")


def ends_in(control: Control, seconds: float) -> None:
    """Let the API server present a certificate that ends then."""
    vms = control.get("state")["vapps"][NAME]["vms"]
    (head,) = (name for name in vms if name.startswith("mstr-"))
    control.set(f"guests/{head}", faults={"serving_ends": seconds})


def until_shown(admin: Person, text: str) -> str:
    end = time.monotonic() + 30
    while True:
        code, out, err = admin.cluster("info", NAME)
        assert (code, err) == (0, "")
        if text in out:
            return out
        assert time.monotonic() < end, out
        time.sleep(0.2)


def test_two_months_ahead_there_is_a_warning(admin: Person, control: Control) -> None:
    _code, out, _err = admin.cluster("info", NAME)
    assert "certificate" not in out
    ends_in(control, 59 * DAY)
    shown = until_shown(admin, "the API server's certificate ends on 20")
    assert f"renew it with `{CURE}`" in " ".join(shown.split())
    code, _out, err = admin.cluster("repair", NAME)
    assert (code, "API server's certificate ends on 20" in err) == (0, True)
    code, _out, err = admin.cluster("resize", NAME, "-N", "2")
    assert (code, "API server's certificate ends on 20" in err) == (0, True)
    assert "Traceback" not in err
    ends_in(control, 300 * DAY)
    code, _out, err = admin.cluster("resize", NAME, "-N", "1")
    assert code == 0, err


def test_an_ended_certificate_is_named_before_anything_is_made(
    admin: Person, control: Control
) -> None:
    ends_in(control, -DAY)
    shown = until_shown(admin, "did not answer (expired)")
    assert "its certificate has ended (20" in " ".join(shown.split())
    assert "not ours" not in shown
    assert CURE in " ".join(shown.split())
    before = control.possessions()
    for words in (
        ("cluster", "resize", NAME, "-N", "2"),
        ("cluster", "resize", NAME, "-N", "0"),
        ("node", "create", NAME),
        ("cluster", "repair", NAME),
        ("cluster", "repair", NAME, "--yes"),
        ("cluster", "grants", NAME),
        ("addon", "status", NAME),
    ):
        code, out, err = admin.run(VCD, "cse", *words)
        assert (code, out) == (1, ""), (words, out, err)
        assert "its certificate has ended (20" in err
        assert f"Hint: Renew it: {CURE}" in err
        assert "Traceback" not in err
    assert control.possessions() == before


def test_it_is_renewed_after_its_end(admin: Person, control: Control) -> None:
    def scripts() -> dict[str, int]:
        vms = control.get("state")["vapps"][NAME]["vms"]
        return {name: vm["script_bytes"] for name, vm in vms.items()}

    before = scripts()
    code, out, err = admin.cluster("renew", NAME)
    assert (code, out) == (2, "")
    assert "must be confirmed" in err
    code, out, err = admin.cluster("renew", NAME, "--yes")
    assert code == 0, err
    assert out.startswith(f"The certificates of cluster {NAME} are renewed; they end on 20")
    assert "certificate" not in admin.cluster("info", NAME).out
    assert scripts() == before
    config = admin.cluster("config", NAME).checked()
    assert "client-key-data" in config, "the CA is found in the script as before"
    code, _out, err = admin.cluster("resize", NAME, "-N", "0")
    assert code == 0, err


def test_saving_again_renews_an_administrators_kubeconfig(admin: Person) -> None:
    def saved() -> x509.Certificate:
        admin.cluster("config", NAME, "--save").checked()
        (user,) = yaml.safe_load(admin.config.read_text())["users"]
        encoded = base64.b64decode(user["user"]["client-certificate-data"])
        return x509.load_pem_x509_certificate(encoded)

    first, second = saved(), saved()
    assert first.serial_number != second.serial_number
    assert second.not_valid_after_utc >= first.not_valid_after_utc
    left = second.not_valid_after_utc - datetime.now(timezone.utc)
    assert timedelta(days=364) < left <= timedelta(days=366)
    assert admin.kubectl("get", "nodes").code == 0
