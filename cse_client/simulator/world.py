"""The cloud that the simulator offers out of the box.

Networks lie in the loopback range, so that a guest's address can be reached on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client.simulator.clock import Clock
from cse_client.simulator.guest.packages.archive import PREINSTALLED
from cse_client.simulator.loopback import DEFAULT_RANGE
from cse_client.simulator.states import Pace
from cse_client.simulator.vcd import uploads
from cse_client.simulator.vcd.cloud import Cloud, GuestOptions
from cse_client.simulator.vcd.entities import (
    Catalog,
    CatalogItem,
    ComputePolicy,
    GuestProperty,
    Org,
    StorageProfile,
    Template,
    Vdc,
)
from cse_client.simulator.vcd.networks import EdgeGateway, NatRule, OrgNetwork
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.power import attach_leases
from cse_client.simulator.vcd.versions import RELEASES

if TYPE_CHECKING:
    from cse_client.simulator.guest.real.kits import Kit, Plain

__all__ = [
    "CATALOG",
    "CSE_TEMPLATE",
    "CURRENT_TEMPLATE",
    "IMAGES",
    "make_cloud",
    "offer_real_machines",
]

CATALOG = "cse"
#: CSE's own template of that time, and one with a current Ubuntu, containerd and kubeadm.
CSE_TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
CURRENT_TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"

#: The provider's catalog of operating systems without Kubernetes.
IMAGES = "images"

_EXTERNAL = "203.0.113.10"


def make_cloud(
    folder: Path,
    *,
    clock: Clock | None = None,
    pace: Pace | None = None,
    release: str = "10.3",
    guests: GuestOptions | None = None,
    addresses: str = DEFAULT_RANGE,
) -> Cloud:
    """Make the organization `acme` with everything that a tenant needs.

    `addresses` are the first two numbers of every network's addresses.
    """
    cloud = Cloud(
        folder=folder,
        clock=clock or Clock(),
        pace=pace or Pace(),
        release=RELEASES[release],
        org=Org("acme", full_name="Acme Corporation", description="The simulator's organization"),
        guest_options=guests or GuestOptions(),
    )
    for name, role in (
        ("admin", "Organization Administrator"),
        ("author", "vApp Author"),
        ("viewer", "Read Only"),
    ):
        cloud.users[name] = User.of_role(name, role)
    cloud.providers["administrator"] = User.of_role("administrator", "System Administrator")
    policies = [
        ComputePolicy("System Default", automatic=True),
        ComputePolicy("2core-4gb", cpus=2, memory_mb=4096),
        ComputePolicy("4core-8gb", cpus=4, memory_mb=8192),
        ComputePolicy("zone-a", placement=True),
        ComputePolicy("zone-b", placement=True),
    ]
    for name in ("vdc1", "vdc2"):
        vdc = _vdc(name, policies)
        cloud.vdcs[vdc.id] = vdc
    _networks(cloud, addresses)
    _catalog(cloud)
    _images(cloud)
    attach_leases(cloud)
    cloud.end_uploads = lambda: uploads.settle(cloud)
    return cloud


def _vdc(name: str, policies: Sequence[ComputePolicy]) -> Vdc:
    vdc = Vdc(name, description=f"Virtual data centre {name}")
    vdc.storage = [
        StorageProfile("gold", vdc_id=vdc.id, is_default=True),
        StorageProfile("silver", vdc_id=vdc.id, limit_mb=10 * 1024 * 1024),
    ]
    vdc.policies = list(policies)
    return vdc


def _networks(cloud: Cloud, addresses: str) -> None:
    first, second = cloud.vdcs.values()
    edge = EdgeGateway("edge1", _EXTERNAL)
    edge.nat.append(NatRule("net1 out", "SNAT", _EXTERNAL, f"{addresses}.0.0/24"))
    cloud.edges[edge.id] = edge
    for number, (name, fence, vdc) in enumerate(
        (
            ("net1", "natRouted", first),
            ("net2", "natRouted", first),
            ("net3", "bridged", first),
            ("net4", "isolated", first),
            ("vdc2-net", "bridged", second),
        )
    ):
        subnet = f"{addresses}.{number}"
        net = OrgNetwork(
            name,
            f"{subnet}.0/24",
            fence,
            (f"{subnet}.10", f"{subnet}.250"),
            edge=edge if fence == "natRouted" else None,
            shared_in={vdc.id},
        )
        cloud.networks[net.id] = net


def _catalog(cloud: Cloud) -> None:
    now = cloud.clock.now()
    vdc = next(iter(cloud.vdcs.values()))
    catalog = Catalog(CATALOG, description="Kubernetes templates", created=now)
    templates = [
        Template(
            CSE_TEMPLATE,
            description="Ubuntu 16.04, Docker-ce 19.03.12, Kubernetes 1.18.6, weave 2.6.5",
            vdc_id=vdc.id,
            vm_name="ubuntu-1604-k8s1186-weave265-vm",
            created=now,
            image={
                "name": CSE_TEMPLATE,
                "os": "ubuntu-16.04",
                "os_version_id": "16.04",
                "kubernetes": "1.18.6",
                "runtime": "docker",
                "cni": "weave",
                "cni_version": "2.6.5",
                "cni_manifest": "/root/weave_v2-6-5.yml",
                "customization_engine": "classic",
            },
        ),
        Template(
            CURRENT_TEMPLATE,
            description="Ubuntu 24.04, containerd 1.7, Kubernetes 1.33.1, antrea 2.3",
            vdc_id=vdc.id,
            vm_name="ubuntu-2404-k8s1331-antrea23-vm",
            created=now,
            image={
                "name": CURRENT_TEMPLATE,
                "os": "ubuntu-24.04",
                "os_version_id": "24.04",
                "kubernetes": "1.33.1",
                "runtime": "containerd",
                "cni": "antrea",
                "cni_version": "2.3",
                "cni_manifest": "/root/antrea_v2-3.yml",
                "customization_engine": "cloud-init",
            },
        ),
    ]
    _offer(cloud, catalog, templates)


def _offer(cloud: Cloud, catalog: Catalog, templates: Sequence[Template]) -> None:
    for template in templates:
        catalog.items.append(
            CatalogItem(
                template.name,
                description=template.description,
                template=template,
                created=template.created,
            )
        )
    cloud.catalogs[catalog.id] = catalog


#: Ubuntu without Kubernetes: release, who customizes, and how cloud-init finds customizations. With
#: the last one it does not: it is Ubuntu's cloud image with the flag set, and nothing else.
_SYSTEMS = (
    ("ubuntu-22.04-server", "22.04", "classic", ""),
    ("ubuntu-24.04-server", "24.04", "cloud-init", "list"),
    ("ubuntu-24.04-cloudimg", "24.04", "cloud-init", ""),
)


#: What go-vcloud-director's table says of this VERSION (govcd/cse/tkg_versions.json).
_TKG_VERSION = "v1.30.2+vmware.1-tkg.1-00b380629c7a9c10afaaa9df46ba2283"
_TKG_REPOSITORY = "projects.registry.vmware.com/tkg"
_TKG_IMAGES = (
    *("kube-apiserver:v1.30.2_vmware.1", "kube-controller-manager:v1.30.2_vmware.1"),
    *("kube-scheduler:v1.30.2_vmware.1", "kube-proxy:v1.30.2_vmware.1", "pause:3.9"),
    *("etcd:v3.5.12_vmware.5", "coredns:v1.11.1_vmware.10"),
    "antrea-advanced-debian:v1.13.3_vmware.1",
)


def _tkg(vdc_id: str, created: datetime) -> Template:
    """Return a template made of an OVA of Tanzu Kubernetes Grid: its VERSION says what it is.

    Its images are in the runtime's store under names that kubeadm does not ask for by itself.
    """
    return Template(
        "tkg-ubuntu-2204",
        description="Photon and Ubuntu images of the provider",
        vdc_id=vdc_id,
        vm_name="ubuntu-2204-kube",
        created=created,
        product_info="Information about the installed software",
        properties={
            "VERSION": GuestProperty(default=_TKG_VERSION),
            "DISTRO_NAME": GuestProperty(default="ubuntu"),
            "DISTRO_VERSION": GuestProperty(default="22.04"),
        },
        image={
            "name": "tkg-ubuntu-2204",
            "os": "ubuntu-22.04",
            "os_version_id": "22.04",
            "kubernetes": "1.30.2+vmware.1",
            "runtime": "containerd",
            "cni": "antrea",
            "cni_version": "v1.13.3_vmware.1",
            "cni_image": f"{_TKG_REPOSITORY}/antrea-advanced-debian",
            "cni_manifest": "/root/antrea.yaml",
            "customization_engine": "classic",
            "preloaded": [f"{_TKG_REPOSITORY}/{image}" for image in _TKG_IMAGES],
        },
    )


def _images(cloud: Cloud) -> None:
    """Offer what providers have: Ubuntu servers without Kubernetes, and an image of TKG."""
    now = cloud.clock.now()
    vdc = next(iter(cloud.vdcs.values()))
    templates = [
        Template(
            name,
            description=f"Ubuntu {release} LTS",
            vdc_id=vdc.id,
            vm_name=f"{name.replace('.', '')}-vm",
            created=now,
            image={
                "name": name,
                "os": f"ubuntu-{release}",
                "os_version_id": release,
                "kubernetes": "",
                "runtime": "",
                "cni": "",
                "cni_version": "",
                "cni_manifest": None,
                "customization_engine": engine,
                "datasource": datasource,
                "packages": list(PREINSTALLED),
            },
        )
        for name, release, engine, datasource in _SYSTEMS
    ]
    templates.append(_tkg(vdc.id, now))
    _offer(cloud, Catalog(IMAGES, description="Operating systems", created=now), templates)


def offer_real_machines(cloud: Cloud, kits: Sequence[Kit], plains: Sequence[Plain]) -> None:
    """Replace the templates by those of real Kubernetes releases, and machines without any."""
    for catalog in cloud.catalogs.values():
        catalog.items.clear()
    for kit in kits:
        what = f"Kubernetes {kit.version}"
        vm = f"kubernetes-{kit.version}"
        _offer_real(cloud, kit.template, f"{what}, containerd", vm, kit.image())
    for plain in plains:
        _offer_real(cloud, plain.template, "Without Kubernetes", plain.template, plain.image())
    for network in cloud.networks.values():
        # CoreDNS ends itself when it is to forward to a loopback address: it would ask itself.
        network.dns = (network.gateway,)


def _offer_real(cloud: Cloud, name: str, description: str, vm: str, image: dict[str, Any]) -> None:
    catalog = next(iter(cloud.catalogs.values()))
    template = Template(
        name,
        description=description,
        vdc_id=next(iter(cloud.vdcs.values())).id,
        vm_name=f"{vm}-vm",
        created=catalog.created,
        image=image,
    )
    _offer(cloud, catalog, [template])
