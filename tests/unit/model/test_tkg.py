"""What the property VERSION of a template means."""

from __future__ import annotations

import pytest

from cse_client.model.tkg import Tags, tags_of, tkg_facts

VERSION = "v1.30.2+vmware.1-tkg.1-00b380629c7a9c10afaaa9df46ba2283"


def test_the_version_is_what_stands_before_tkg() -> None:
    facts = tkg_facts({"VERSION": VERSION, "DISTRO_NAME": "ubuntu", "DISTRO_VERSION": "22.04"})
    assert facts is not None
    assert (facts.kubernetes, facts.os, facts.cni) == ("1.30.2+vmware.1", "ubuntu-22.04", "antrea")
    assert (facts.origin, facts.source) == ("tkg", VERSION)


@pytest.mark.parametrize("version", ["", "1.30", "v1.30.2", f"{VERSION}\n", f"x{VERSION}"])
def test_any_other_version_is_none_of_tkg(version: str) -> None:
    assert tkg_facts({"VERSION": version}) is None


def test_what_a_distribution_calls_itself_is_not_trusted() -> None:
    facts = tkg_facts({"VERSION": VERSION, "DISTRO_NAME": "$(x)", "DISTRO_VERSION": "22.04"})
    assert facts is not None
    assert facts.os == "22.04"


def test_tags_belong_to_a_version_by_eight_digits_of_its_hash() -> None:
    assert tags_of(VERSION) == Tags("v3.5.12_vmware.5", "v1.11.1_vmware.10")
    assert tags_of("v1.30.2+vmware.1-tkg.1-ffffffff") == Tags()
