"""The customization scripts: what VCD stores with a VM and runs inside it at its first boot.

A script is a short installer in plain bash with the real work as its payload (gzip, base64): a
block of shell assignments and files for this node, then scripts/base.sh, common.sh and the part
for the kind of node. `recover_pki` reads a control plane's payload back, so any machine that may
read the VM in VCD can work with the cluster.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache

from cse_client.errors import CseError, WrongUsage
from cse_client.guest.pki import (
    ADMIN_GROUP,
    JOIN_LIFETIME,
    PKI_FILES,
    ClusterPKI,
    issue_client,
    pki_from_files,
    pki_to_files,
)
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
    "FORMAT",
    "MAX_SCRIPT_BYTES",
    "AwaitedSnapshot",
    "Bootstrap",
    "assemble",
    "common_data",
    "control_plane_script",
    "finished_script",
    "further_control_plane_script",
    "is_ours",
    "is_sealed",
    "packed",
    "put_file",
    "quoted",
    "recover_pki",
    "recover_ssh_key",
    "script_source",
    "sealed_script",
    "split_endpoint",
    "worker_script",
]

FORMAT = 1
#: Nobody documents a limit for VCD's CustomizationScript; this is what we dare.
MAX_SCRIPT_BYTES = 16 * 1024

_MAX_PORT = 65535
_MAX_HOST = 253

_CONTROL_PLANE = "control-plane"
_WORKER = "worker"
_SEALED = "sealed"
_HEADER = re.compile(
    r"^# cse-client (control-plane|worker|template|check|sealed) script, format (\d+)$", re.M
)
_PAYLOAD = re.compile(r"<<'CSE_PAYLOAD'\n(.*?)\nCSE_PAYLOAD$", re.M | re.S)
_FILE = re.compile(
    r"^put /etc/kubernetes/pki/(\S+) [0-7]+ <<'CSE_FILE'\n(.*?)^CSE_FILE$", re.M | re.S
)
_COMMENT = re.compile(r"\s*#(?!!/)")
_SSH_KEY = re.compile(r"^SSH_KEY=(.*)$", re.M)
_IDENTITY = re.compile(r"^CSE_ID=.*$", re.M)
_KEYS = re.compile(r"^put_pki\(\) \{\n.*?^\}$", re.M | re.S)
#: zlib's number for gzip's format, and the bytes that a payload has at most when it is unpacked.
_GZIP = 31
_LONGEST_PAYLOAD = 1024 * 1024


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
        return assemble(_CONTROL_PLANE, b, data, _put_pki(pki))
    data.update(SNAPSHOT=snapshot.digest, SIZE=str(snapshot.size), ETCD=snapshot.etcd)
    return assemble(_CONTROL_PLANE, b, data, _put_pki(pki), sources=("restore",))


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
        return assemble(_CONTROL_PLANE, b, data, block, source="further")
    data["OLD"] = " ".join(replaces)
    return assemble(_CONTROL_PLANE, b, data, block, source="further", sources=("upload",))


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
    return assemble(_WORKER, b, data, discovery)


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


def sealed_script() -> str:
    """Return what replaces a control plane's script in VCD once the CA has been removed."""
    return (
        f"#!/bin/bash\n{_header(_SEALED)}\n"
        "# The cluster is sealed: its CA is in its own Secret kube-system/cse-cluster-ca and with\n"
        "# the administrator who sealed it, not here. There is nothing to do.\nexit 0\n"
    )


def is_ours(script: str) -> bool:
    """Return whether a script, as found in VCD, is a control plane's of ours, sealed or not."""
    return _kind(script) in (_CONTROL_PLANE, _SEALED)


def is_sealed(script: str) -> bool:
    """Return whether `script`, as found in VCD, is `sealed_script`'s."""
    return _kind(script) == _SEALED


def recover_pki(script: str) -> ClusterPKI | None:
    """Read the PKI back from a control plane's script as found in VCD.

    Returns None for a script that holds none: sealed, a worker's, or not ours. Raises CseError when
    the script is ours but damaged, or newer than this version knows.
    """
    if _kind(script) != _CONTROL_PLANE:
        return None
    text = _normal(script)
    header = _HEADER.search(text)
    if header is not None and int(header.group(2)) > FORMAT:
        raise CseError(
            "the control plane's script in VCD was written by a newer version of cse-client",
            hint="Upgrade cse-client.",
        )
    body = _payload(text)
    files = {path: content.encode() for path, content in _FILE.findall(body)}
    try:
        return pki_from_files({path: files[path] for path in PKI_FILES.values() if path in files})
    except CseError as error:
        raise _damaged(error.message) from None


def recover_ssh_key(script: str) -> str | None:
    """Return root's key line that a node's script holds; empty: the script gives none.

    Returns None for a script that does not say: sealed, not ours, or damaged.
    """
    if _kind(script) not in (_CONTROL_PLANE, _WORKER):
        return None
    try:
        found = _SSH_KEY.search(_payload(_normal(script)))
        return "".join(shlex.split(found.group(1))) if found is not None else None
    except (CseError, ValueError):
        return None


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
        **_settings_data(b.settings),
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


def _settings_data(settings: ClusterSettings) -> dict[str, str]:
    """Return what scripts/settings.sh works with; nothing where it has nothing to do."""
    if not settings.for_nodes():
        return {}
    return {
        "SETTINGS": "1",
        "HTTP_P": settings.http_proxy,
        "HTTPS_P": settings.https_proxy,
        "NO_P": settings.no_proxy,
        "CA": "1" if settings.registry_ca else "",
        "MIRRORS": settings.registry_mirrors,
        "REPO": settings.image_repository,
        "NTP": settings.ntp,
        "DNS": settings.dns,
    }


def _settings_sources(settings: ClusterSettings) -> list[str]:
    parts = {
        "proxy": settings.has_proxy,
        "registries": settings.registry_mirrors or settings.image_repository,
        "servers": settings.dns or settings.ntp,
        "settings": True,
    }
    sources = [script_source(name) for name, needed in parts.items() if needed]
    return [_put_ca(settings.registry_ca), *sources] if settings.registry_ca else sources


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
    `too_long` is raised where VCD may refuse
    the script for its length.
    """
    identity = f"CSE_ID={shlex.quote(f'{b.cluster_id} {b.node}')}"
    assignments = [f"{name}={quoted(name, value)}" for name, value in data.items()]
    # only where it has something to do: it costs room in VCD
    more = _settings_sources(b.settings) if "SETTINGS" in data else []
    more += [script_source("address")] if "VIP" in data else []
    more += [script_source("joining")] if "API_HOST" in data else []
    more += [script_source("tkg")] if "TKG" in data else []
    more += [script_source(name) for name in sources]
    own = script_source(source or kind)
    common = [script_source("base"), script_source("common")]
    parts = [script_source("install"), *assignments, *block, *common, *more, own]
    script = _with_installer(kind, identity, parts)
    if len(script.encode()) > MAX_SCRIPT_BYTES:
        raise too_long or CseError(
            f"the bootstrap script of {b.node} would be {len(script.encode())} bytes, more than "
            f"the {MAX_SCRIPT_BYTES} that are safe in VCD",
            hint="Use a shorter SSH key, a shorter --registry-ca, fewer extra names or fewer labels"
            " of the pool.",
        )
    return script


def _with_installer(kind: str, identity: str, parts: Sequence[str]) -> str:
    payload = ["payload() { cat <<'CSE_PAYLOAD'", *packed([identity, *parts]), "CSE_PAYLOAD", "}"]
    lines = ["#!/bin/bash", _header(kind), identity, *payload, script_source("customize")]
    return "\n".join(lines) + "\n"


def packed(parts: Sequence[str]) -> list[str]:
    """Return lines of base64 that hold the text of `parts` in gzip's format."""
    body = "\n".join(parts) + "\n"
    text = base64.b64encode(_gzip(body.encode())).decode()
    return [text[i : i + 1000] for i in range(0, len(text), 1000)]


def finished_script(script: str) -> str:
    """Return a control plane's script, as found in VCD, without what only its bootstrap needs.

    The keys of the cluster and root's key line can be read from it as before.

    Raises:
        CseError: the script is damaged, or not a control plane's with keys.
    """
    if _kind(script) != _CONTROL_PLANE:
        raise _damaged("it is not the script of a control plane")
    body = _payload(_normal(script))
    kept = [_IDENTITY.search(body), _SSH_KEY.search(body), _KEYS.search(body)]
    lines = [found.group() for found in kept if found is not None]
    if len(lines) != len(kept):
        raise _damaged("its payload has no keys")
    identity, *rest = lines
    return _with_installer(_CONTROL_PLANE, identity, [*rest, "exit 0"])


def _payload(script: str) -> str:
    """Return what a script carries.

    Raises:
        CseError: that is damaged.
    """
    payload = _PAYLOAD.search(script)
    if payload is None:
        raise _damaged("its payload is missing")
    try:
        raw = base64.b64decode("".join(payload.group(1).split()), validate=True)
        return _unpack(raw).decode()
    except (binascii.Error, ValueError, OSError, EOFError, zlib.error):
        raise _damaged("its payload cannot be decoded") from None


def _unpack(packed: bytes) -> bytes:
    """Decompress what somebody else may have written: never more than a script could hold."""
    stream = zlib.decompressobj(wbits=_GZIP)
    body = stream.decompress(packed, _LONGEST_PAYLOAD)
    if not stream.eof:
        # cut off, or longer than anything of ours
        raise EOFError
    return body


def _gzip(data: bytes) -> bytes:
    # The larger memory level keeps a script in one block of deflate: a second costs 180 bytes.
    packing = zlib.compressobj(9, zlib.DEFLATED, _GZIP, 9)
    return packing.compress(data) + packing.flush()


def _header(kind: str) -> str:
    return f"# cse-client {kind} script, format {FORMAT}"


def put_file(path: str, mode: str, content: str) -> str:
    """Return the line that writes a file in the guest, `path` as the shell reads it."""
    return f"put {path} {mode} <<'CSE_FILE'\n{content.rstrip()}\nCSE_FILE"


def _put_ca(pem: str) -> str:
    """Return a function that writes the CA of the registries."""
    path = "/usr/local/share/ca-certificates/cse-registry.crt"
    return f"put_ca() {{\n{put_file(path, '644', pem)}\n}}"


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


@cache
def script_source(name: str) -> str:
    """Return a shell source without comment lines and half of its indents: they cost room in VCD.

    Half, so that the YAML in here-documents keeps its shape. The first line of a script in a
    here-document is not a comment.
    """
    from importlib.resources import files

    text = files("cse_client.guest").joinpath("scripts").joinpath(f"{name}.sh").read_text("utf-8")
    code = "\n".join(line for line in text.splitlines() if not _COMMENT.match(line))
    return re.sub(r"^(?P<half> +)(?P=half)", r"\g<half>", code, flags=re.M)


def _kind(script: str) -> str:
    header = _HEADER.search(_normal(script))
    return header.group(1) if header else ""


def _normal(script: str) -> str:
    """Undo what a web form or an XML round trip may do to line ends."""
    return "\n".join(line.rstrip() for line in script.splitlines())


def _damaged(why: str) -> CseError:
    return CseError(
        f"the control plane's script in VCD is damaged: {why}",
        hint="The CA is also in /etc/kubernetes/pki on the control plane.",
    )


def quoted(name: str, value: str) -> str:
    """Return a value as a script may assign it to the variable `name`; WrongUsage if none can."""
    if not value.isprintable():
        raise WrongUsage(f"{value!r} cannot be used in a bootstrap script ({name})")
    return shlex.quote(value)


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
