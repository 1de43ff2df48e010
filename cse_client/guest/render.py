"""The customization scripts: what VCD stores with a VM and runs inside it at its first boot.

A script is a short installer in plain bash with the real work as its payload (gzip, base64): a
block of shell assignments and files for this node, then scripts/base.sh, common.sh and the part
for the kind of node. `stored_scripts.recover_pki` reads a control plane's payload back, so any
machine that may read the VM in VCD can work with the cluster.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from cse_client.errors import CseError, WrongUsage
from cse_client.guest.pki import (
    ADMIN_GROUP,
    JOIN_LIFETIME,
    ClusterPKI,
    issue_client,
    pki_to_files,
)
from cse_client.guest.script_format import (
    CONTROL_PLANE,
    MAX_SCRIPT_BYTES,
    WORKER,
    put_file,
    quoted,
    script_source,
    with_installer,
)
from cse_client.guest.script_settings import settings_data, settings_sources
from cse_client.model import TemplateFacts
from cse_client.model.endpoints import API_PORT, router_id
from cse_client.model.pools import (
    DEFAULT_POOL,
    POOL_LABEL,
    Pool,
    may_be_set_by_kubelet,
    pool_problems,
)
from cse_client.model.ranges import pod_cidr_for_kubeadm, pod_cidr_problem
from cse_client.model.settings import ClusterSettings, setting_problem
from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key
from cse_client.model.tkg import REPOSITORY, tags_of

__all__ = [
    "AwaitedSnapshot",
    "Bootstrap",
    "assemble",
    "common_data",
    "control_plane_script",
    "further_control_plane_script",
    "split_endpoint",
    "worker_script",
]


_MAX_PORT = 65535
_MAX_HOST = 253


@dataclass(frozen=True)
class Bootstrap:
    """What one node's script is made of; times in seconds, counted inside the guest.

    The deadlines lie below those of whoever waits outside, so that a node in trouble speaks first;
    the one for images holds for each image.

    `endpoint_host` is the name or address that the cluster's API is known by; empty takes the
    control plane's own address. `extra_sans` are more names and addresses that kubeconfigs may
    use. `ssh_key` is one public key line for root. `virtual_address` is that of the API, which
    keepalived holds; it is the endpoint unless another is given.
    """

    cluster_id: str
    cluster_name: str
    node: str
    endpoint_host: str = ""
    ssh_key: str = ""
    facts: TemplateFacts = field(default_factory=TemplateFacts)
    settings: ClusterSettings = field(default_factory=ClusterSettings)
    extra_sans: tuple[str, ...] = ()
    virtual_address: str = ""
    address_deadline: int = 240
    runtime_deadline: int = 240
    images_deadline: int = 480
    join_deadline: int = 1800


@dataclass(frozen=True)
class AwaitedSnapshot:
    """The snapshot of etcd that a control plane begins with, once it is sent: see `restore.sh`.

    `digest` is its SHA-256, `size` in bytes, `etcd` the version that wrote it.
    """

    digest: str
    size: int
    etcd: str


def control_plane_script(
    b: Bootstrap,
    pki: ClusterPKI,
    *,
    snapshot: AwaitedSnapshot | None = None,
    now: datetime | None = None,
) -> str:
    """Return the script of a control plane; it holds the CA keys in a form anyone can decode.

    Raises WrongUsage when a value cannot stand in a script, CseError when it would be too long.
    """
    endpoint = b.endpoint_host or b.virtual_address
    for name in (*b.extra_sans, *filter(None, (endpoint, b.virtual_address))):
        _check_host(name)
    pod_cidr = pod_cidr_for_kubeadm(b.facts, b.settings.pod_cidr)
    if pod_cidr:
        _check_cidr(pod_cidr)
    data = {
        **common_data(b, now),
        "ENDPOINT": endpoint,
        "SANS": ",".join(b.extra_sans),
        "POD_CIDR": pod_cidr,
        "CNI": b.facts.cni.lower(),
        "CNI_VERSION": b.facts.cni_version,
        "CNI_MANIFEST": b.facts.cni_manifest,
    }
    if b.settings.pod_cidr:
        data["CNI_CIDR"] = b.settings.pod_cidr
    if b.settings.service_cidr:
        data["SERVICE_CIDR"] = b.settings.service_cidr
    if b.virtual_address:
        data["VIP"] = b.virtual_address
        data["ROUTER"] = str(router_id(b.virtual_address))
    if snapshot is None:
        return assemble(CONTROL_PLANE, b, data, _put_pki(pki))
    data.update(SNAPSHOT=snapshot.digest, SIZE=str(snapshot.size), ETCD=snapshot.etcd)
    return assemble(CONTROL_PLANE, b, data, _put_pki(pki), sources=("restore",))


def further_control_plane_script(
    b: Bootstrap,
    pki: ClusterPKI,
    *,
    after: str = "",
    replaces: Sequence[str] = (),
    now: datetime | None = None,
) -> str:
    """Return the script of a control plane that joins the API at the virtual address.

    It joins once the node `after` has, where one is named. Like the first one's it holds the CA
    keys, and besides a certificate of its own name, with an administrator's rights, for two hours.
    The last new one of an upgrade `replaces` all old ones: once they are gone, it brings what
    kubeadm keeps in the cluster to its release.

    Raises WrongUsage when a value cannot stand in a script, CseError when it would be too long.
    """
    host, port = split_endpoint(b.virtual_address)
    data = {
        **common_data(b, now),
        **_joining_data(host, port, b),
        "AFTER": after,
        "VIP": host,
        "ROUTER": str(router_id(host)),
    }
    groups = ["system:nodes", ADMIN_GROUP]
    block = [*_put_pki(pki), *_join_credentials(b, pki, host, port, groups, now)]
    if not replaces:
        return assemble(CONTROL_PLANE, b, data, block, source="further")
    data["OLD"] = " ".join(replaces)
    return assemble(CONTROL_PLANE, b, data, block, source="further", sources=("upload",))


def worker_script(
    b: Bootstrap,
    pki: ClusterPKI,
    *,
    endpoint: str,
    head: str = "",
    pool: Pool | None = None,
    now: datetime | None = None,
) -> str:
    """Return the script of a worker that joins the API at `endpoint` (host or host:port).

    Its node gets the labels and taints of `pool`, by default those of the default pool.

    `head` is the control plane's own address, where `endpoint` is a virtual one: a network that
    lets only the former through is noticed.

    Of `pki` it holds the CA's certificate only, and a client certificate for exactly this node's
    name that ends after two hours.

    Raises WrongUsage when a value cannot stand in a script, CseError when it would be too long.
    """
    host, port = split_endpoint(endpoint)
    data = {
        **common_data(b, now),
        **_joining_data(host, port, b),
        **_pool_data(pool or Pool(DEFAULT_POOL)),
    }
    if head not in ("", host):
        _check_host(head)
        data["HEAD"] = head
    discovery = _join_credentials(b, pki, host, port, ["system:nodes"], now)
    return assemble(WORKER, b, data, discovery)


def _pool_data(pool: Pool) -> dict[str, str]:
    """Return what the node is marked with, in the forms of a kubelet's flag and of YAML."""
    for problem in pool_problems([pool]):
        raise WrongUsage(f"The node cannot be marked: {problem}.")
    labels = {POOL_LABEL: pool.name}
    labels.update({k: v for k, v in pool.labels.items() if may_be_set_by_kubelet(k)})
    taints = [json.dumps(vars(one)) for one in pool.taints]
    return {
        "LABELS": ",".join(f"{key}={value}" for key, value in labels.items()),
        "TAINTS": ", ".join(taints),
    }


def _joining_data(host: str, port: int, b: Bootstrap) -> dict[str, str]:
    return {
        "API_HOST": host,
        "API_PORT": str(port),
        "T_WAIT": str(b.join_deadline),
        "T_CERT": str(int(JOIN_LIFETIME.total_seconds())),
    }


def _join_credentials(
    b: Bootstrap,
    pki: ClusterPKI,
    host: str,
    port: int,
    groups: Sequence[str],
    now: datetime | None,
) -> list[str]:
    """Return a function that writes the kubeconfig with which the node joins."""
    certificate = issue_client(
        pki,
        common_name=f"system:node:{b.node}",
        organizations=groups,
        lifetime=JOIN_LIFETIME,
        now=now,
        allow_system=True,
    )
    server = f"https://{host}:{port}"
    return _discovery(server, pki.ca_cert, certificate.cert, certificate.key)


def _put_pki(pki: ClusterPKI) -> list[str]:
    """Return a function that writes the cluster's CAs."""
    files = [
        put_file(
            f"/etc/kubernetes/pki/{path}",
            "600" if path.endswith("key") else "644",
            content.decode(),
        )
        for path, content in pki_to_files(pki).items()
    ]
    return ["put_pki() {", *files, "}"]


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Return host and port of `host`, `host:port` or `https://host:port`; WrongUsage otherwise."""
    text = endpoint[len("https://") :] if endpoint.startswith("https://") else endpoint
    host, colon, port = text.rstrip("/").partition(":")
    _check_host(host)
    if not colon:
        return host, API_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
        raise WrongUsage(f"{endpoint!r} is not a valid endpoint; use HOST or HOST:PORT")
    return host, int(port)


def common_data(b: Bootstrap, now: datetime | None) -> dict[str, str]:
    """Return what every script gets, for `assemble`."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", b.node):
        raise WrongUsage(f"{b.node!r} is not a node name")
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", b.cluster_id):
        raise WrongUsage(f"{b.cluster_id!r} is not a cluster id")
    for name, value in b.settings.given().items():
        problem = setting_problem(name, value)
        if problem:
            raise WrongUsage(f"{value!r} cannot be the {name} of a cluster: {problem}")
    moment = now or datetime.now(timezone.utc)
    return {
        "NODE": b.node,
        "CLUSTER": b.cluster_name,
        "MINTED": str(int(moment.timestamp())),
        "SSH_KEY": _ssh_key(b.ssh_key),
        "T_HOST": str(b.address_deadline),
        "T_RUNTIME": str(b.runtime_deadline),
        "T_IMAGES": str(b.images_deadline),
        **settings_data(b.settings),
        **_tkg_data(b.facts),
    }


def _tkg_data(facts: TemplateFacts) -> dict[str, str]:
    """Return what scripts/tkg.sh works with; nothing for other templates."""
    if facts.origin != "tkg":
        return {}
    tags = tags_of(facts.source)
    return {
        "TKG": "1",
        "TKG_REPO": REPOSITORY,
        "TKG_ETCD": tags.etcd,
        "TKG_DNS": tags.coredns,
    }


def assemble(
    kind: str,
    b: Bootstrap,
    data: dict[str, str],
    block: list[str],
    *,
    source: str = "",
    sources: tuple[str, ...] = (),
    too_long: CseError | None = None,
) -> str:
    """Return a script: the installer, with `data`, the lines of `block` and scripts as payload.

    `kind` and `sources` are names of files in scripts, and `source` where it is not the kind's;
    `too_long` is raised where VCD may refuse the script for its length.
    """
    identity = f"CSE_ID={shlex.quote(f'{b.cluster_id} {b.node}')}"
    assignments = [f"{name}={quoted(name, value)}" for name, value in data.items()]
    # only where it has something to do: it costs room in VCD
    more = settings_sources(b.settings) if "SETTINGS" in data else []
    more += [script_source("address")] if "VIP" in data else []
    more += [script_source("joining")] if "API_HOST" in data else []
    more += [script_source("tkg")] if "TKG" in data else []
    more += [script_source(name) for name in sources]
    own = script_source(source or kind)
    common = [script_source("base"), script_source("common")]
    parts = [script_source("install"), *assignments, *block, *common, *more, own]
    script = with_installer(kind, identity, parts)
    if len(script.encode()) > MAX_SCRIPT_BYTES:
        raise too_long or CseError(
            f"the bootstrap script of {b.node} would be {len(script.encode())} bytes, more than "
            f"the {MAX_SCRIPT_BYTES} that are safe in VCD",
            hint="Use a shorter SSH key, a shorter --registry-ca, fewer extra names or fewer labels"
            " of the pool.",
        )
    return script


def _discovery(server: str, ca: bytes, cert: bytes, key: bytes) -> list[str]:
    """Return a function that writes the kubeconfig for `kubeadm join --discovery-file`.

    The guest encodes the PEM: base64 twice would cost room in VCD. current-context is required.
    """
    parts = {"ca": ca, "cert": cert, "key": key}
    lines = ["put_discovery() {", "local ca cert key"]
    for name, pem in parts.items():
        lines += [f"{name}=$(base64 -w0 <<'CSE_FILE'", pem.decode().rstrip(), "CSE_FILE", ")"]
    return [
        *lines,
        f"""put /run/cse/discovery.conf 600 <<CSE_FILE
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {{server: "{server}", certificate-authority-data: $ca}}
users:
- name: u
  user: {{client-certificate-data: $cert, client-key-data: $key}}
contexts:
- name: x
  context: {{cluster: c, user: u}}
current-context: x
CSE_FILE
}}""",
    ]


def _ssh_key(text: str) -> str:
    if not text:
        return ""
    try:
        return parse_public_key(text).line
    except InvalidPublicKey as wrong:
        raise WrongUsage(f"The ssh key for the nodes {wrong}.") from None


def _check_host(host: str) -> None:
    label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    if len(host) > _MAX_HOST or not re.fullmatch(rf"{label}(\.{label})*", host):
        raise WrongUsage(f"{host!r} is not a host name or an IPv4 address")


def _check_cidr(text: str) -> None:
    problem = pod_cidr_problem(text, services=None)
    if problem:
        raise WrongUsage(f"{text!r} cannot be the pod network: {problem}")
