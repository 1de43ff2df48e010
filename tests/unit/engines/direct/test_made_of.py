"""Of which template a VM is said to be made, and when that is believed."""

from __future__ import annotations

import pytest

from cse_client.engines.direct.made_of import confirmed, template_mark, template_named
from cse_client.engines.direct.pools import pool_mark, pool_of
from cse_client.model import Template, TemplateFacts, Vm

ID = "vappTemplate-6ec95d1c-0000-4000-8000-00000000000b"


def template(identity: str = ID, kubernetes: str = "1.36.3") -> Template:
    href = f"https://vcd.example/api/vAppTemplate/{identity}"
    return Template("new", 1, "cse", "new_rev1", href, facts=TemplateFacts(kubernetes=kubernetes))


def worker(description: str, name: str = "node-a") -> Vm:
    return Vm(name, f"https://vcd.example/{name}", "POWERED_ON", description=description)


@pytest.mark.parametrize("identity", [ID, "vappTemplate-1", "x" * 60])
def test_the_record_of_a_template_comes_back(identity: str) -> None:
    pool = "p" * 40
    before = f"[operation 0123abcd] for pool '{pool}' {pool_mark(pool)}"
    vm = worker(f"{before} {template_mark(template(identity))}")
    assert (template_named(vm), pool_of(vm)) == (identity, pool)
    # what VCD stores of a description
    assert len(vm.description) <= 256


@pytest.mark.parametrize("identity", ["a b", "x" * 61, "a]", "é"])
def test_an_id_that_cannot_be_read_back_is_not_written(identity: str) -> None:
    assert template_mark(template(identity)) == ""


@pytest.mark.parametrize(
    "description", ["", "[template ]", "[template a b]", "template x", f"[template {'x' * 61}]"]
)
def test_vms_of_others_name_no_template(description: str) -> None:
    assert template_named(worker(description)) == ""


@pytest.mark.parametrize(
    ("description", "kubelet", "release", "believed"),
    [
        (f"[template {ID}]", "v1.36.3", "1.36.3", True),
        (f"[pool gpu] [template {ID}]", "v1.36.3", "1.36.3", True),
        # only the minor release of the template is known, or nothing
        (f"[template {ID}]", "v1.36.3", "1.36", True),
        (f"[template {ID}]", "v1.36.3", "", True),
        # whoever may edit the vApp wrote it
        (f"[template {ID}]", "v1.35.9", "1.36.3", False),
        (f"[template {ID}]", "", "1.36.3", False),
        # another template of the same release, or a VM of an earlier version
        ("[template vappTemplate-2]", "v1.36.3", "1.36.3", False),
        ("", "v1.36.3", "1.36.3", False),
    ],
)
def test_a_record_is_compared_with_what_the_node_runs(
    description: str, kubelet: str, release: str, believed: bool
) -> None:
    found = confirmed([worker(description)], {"node-a": kubelet}, template(kubernetes=release))
    assert found == (frozenset({"node-a"}) if believed else frozenset())


def test_a_vm_that_is_not_a_node_is_not_of_a_template() -> None:
    assert confirmed([worker(f"[template {ID}]")], {"node-b": "v1.36.3"}, template()) == frozenset()
