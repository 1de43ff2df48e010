"""Which templates a backup can be restored with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cse_client.engines.direct.restorable import Restorable, refuse_release
from cse_client.errors import Refused
from cse_client.guest.pki import mint_pki
from cse_client.model import Template, TemplateFacts
from cse_client.model.backups import BackupKey

PKI = mint_pki("demo")


def template(kubernetes: str) -> Template:
    facts = TemplateFacts(kubernetes=kubernetes)
    return Template("t", 1, "cse", "t_rev1", "https://vcd/api/vAppTemplate/1", facts=facts)


def backup(kubernetes: str, etcd: str = "") -> Restorable:
    record = {"kubernetes": f"v{kubernetes}", "etcd": etcd}
    return Restorable(Path("b"), BackupKey(), PKI, record, "", 0, "mstr-1", "10.0.0.1")


@pytest.mark.parametrize(
    ("kubernetes", "present", "fits"),
    [
        ("1.36.3", "1.36.0", True),
        ("1.36.3", "1.37.2", True),
        ("1.36.3", "1.35.9", False),
        ("1.36.3", "1.38.0", False),
        ("1.36.3", "", True),
        ("", "1.36.0", True),
        ("1.9.0", "1.10.0", True),
    ],
)
def test_a_template_is_not_older(kubernetes: str, present: str, fits: bool) -> None:
    if fits:
        refuse_release(backup(kubernetes), template(present))
        return
    with pytest.raises(Refused) as caught:
        refuse_release(backup(kubernetes), template(present))
    assert f"The backup is of Kubernetes {kubernetes}, and the template 't' has {present}" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("etcd", "present", "refused"),
    [
        ("3.3.15", "1.16.2", ""),
        ("3.4.3", "1.18.6", ""),
        ("3.5.0", "1.21.9", "etcd 3.4 (Kubernetes 1.21.9)"),
        ("3.5.24", "1.33.1", ""),
        ("3.6.5", "1.33", "etcd 3.5 (Kubernetes 1.33)"),
        ("3.6.5", "1.34.2", ""),
        ("3.7.0", "1.37.2", "etcd 3.6 (Kubernetes 1.37.2)"),
        # what this version does not know, the guest compares
        ("3.7.0", "1.38.0", ""),
        ("3.9.0", "", ""),
        ("", "1.36.3", ""),
        ("none", "1.36.3", ""),
    ],
)
def test_its_etcd_is_not_older(etcd: str, present: str, refused: str) -> None:
    if not refused:
        refuse_release(backup("", etcd), template(present))
        return
    with pytest.raises(Refused, match=f"of etcd {etcd}, and the template 't' has ") as caught:
        refuse_release(backup("", etcd), template(present))
    assert f"has {refused}; nothing was changed." in caught.value.message
