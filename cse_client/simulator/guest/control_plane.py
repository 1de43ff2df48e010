"""The control plane's static pods on one guest, as its kubelet runs them."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import yaml

from cse_client.simulator.guest.bootstrap_signer import sign_cluster_info
from cse_client.simulator.guest.certs import (
    BadCertificate,
    load_certificate,
    load_pair,
    not_after,
    not_before,
    signed_by,
)
from cse_client.simulator.guest.containers import etcd_version
from cse_client.simulator.guest.etcd import MARK, Etcd
from cse_client.simulator.guest.etcd_gateway import PORT, serve_gateway
from cse_client.simulator.guest.serving_certificate import reissue

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["ControlPlane"]

MANIFESTS = "/etc/kubernetes/manifests"
PKI = "/etc/kubernetes/pki"
_SIGNING_SECONDS = 1.0
_NEEDED = ("etcd", "kube-apiserver")


class ControlPlane:
    """Runs the static pods whose manifests lie on the disk, as a kubelet does."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.problem = ""
        self._next_signing = 0.0
        self._images: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """The API server runs."""
        etcd = self._system.guest.etcd
        return etcd is not None and etcd.running

    def present(self) -> bool:
        """There is a manifest of an API server."""
        return self._system.disk.exists(f"{MANIFESTS}/kube-apiserver.yaml")

    def reconcile(self) -> None:
        """Start or stop the API server so that it fits the manifests."""
        if not self.present():
            if self.running:
                self.stop()
            return
        if self.running and self._images == self._manifests():
            self._age()
            self._sign()
            return
        self.stop()
        self._images = self._manifests()
        self.problem = self._start()

    def image(self, component: str) -> str:
        """Return the image in a component's manifest; empty where there is none."""
        text = self._system.disk.text(f"{MANIFESTS}/{component}.yaml")
        found = re.search(r"image: *(\S+)", text)
        return found[1] if found else ""

    def _manifests(self) -> tuple[str, ...]:
        """Return what the API server needs: it is started again when one of these changes."""
        return tuple(self.image(name) for name in _NEEDED)

    def _age(self) -> None:
        """Replace the API server's certificate by one that ends when a fault says so."""
        faults, etcd = self._system.guest.faults, self._system.guest.etcd
        seconds, faults.serving_ends = faults.serving_ends, None
        if seconds is not None and etcd is not None:
            reissue(self._system, timedelta(seconds=seconds))

    def _sign(self) -> None:
        """Play the controller manager's bootstrap signer, now and then."""
        etcd = self._system.guest.etcd
        if etcd is None or time.monotonic() < self._next_signing:
            return
        self._next_signing = time.monotonic() + _SIGNING_SECONDS
        with self._system.life.guard():
            sign_cluster_info(etcd.api)

    def stop(self) -> None:
        """Stop the API server."""
        etcd = self._system.guest.etcd
        if etcd is not None:
            etcd.stop()

    def _start(self) -> str:  # noqa: PLR0911 - one for each reason
        """Start the API server; returns why it crashes instead, or ""."""
        system = self._system
        for name in _NEEDED:
            if not system.disk.exists(f"{MANIFESTS}/{name}.yaml"):
                return f"{name}: no manifest"
        address, port = self._endpoint()
        if not address:
            return "kube-apiserver: the manifest cannot be read"
        if address not in {nic.address for nic in system.nics} or not system.network_up:
            return f"kube-apiserver: listen tcp {address}:{port}: cannot assign requested address"
        try:
            files = self._certificates()
        except (BadCertificate, OSError) as error:
            return f"kube-apiserver: {error}"
        signing = None
        if system.disk.exists(f"{MANIFESTS}/kube-controller-manager.yaml"):
            signing = files["ca.key"]
        etcd = self._data()
        if etcd.removed:
            return "etcd: the member has been permanently removed from the cluster"
        try:
            with system.life.guard():
                etcd.start(
                    host=address,
                    port=port,
                    server_cert=files["apiserver.crt"],
                    server_key=files["apiserver.key"],
                    client_ca=files["ca.crt"],
                    signing_key=signing,
                    service_cidr=self._flag("kube-apiserver", "service-cluster-ip-range"),
                    pod_cidr=self._flag("kube-controller-manager", "cluster-cidr"),
                    version=self._version(),
                )
        except OSError as error:
            return f"kube-apiserver: listen tcp {address}:{port}: {error.strerror or error}"
        gateway = partial(serve_gateway, etcd)
        etcd.api.open_port(f"etcd-{etcd.node}", PORT, lambda stream: gateway(stream, files))
        return ""

    def _endpoint(self) -> tuple[str, int]:
        """Return the address and port in the API server's manifest, ("", 0) if it is broken."""
        address = self._flag("kube-apiserver", "advertise-address")
        port = self._flag("kube-apiserver", "secure-port") or "6443"
        return (address, int(port)) if address and port.isdigit() else ("", 0)

    def _version(self) -> str:
        """Return the API server's release, which its image's tag tells; empty where it does not."""
        text = self._system.disk.text(f"{MANIFESTS}/kube-apiserver.yaml")
        found = re.search(r"image: *\S+:v([0-9]+\.[0-9]+\.[0-9]+\S*)", text)
        return found[1].replace("_", "+") if found else ""

    def _flag(self, component: str, name: str) -> str:
        """Return a flag's value in a component's manifest; empty where it cannot be read."""
        text = self._system.disk.text(f"{MANIFESTS}/{component}.yaml")
        try:
            manifest = yaml.safe_load(text)
            words = manifest["spec"]["containers"][0]["command"]
            values = dict(
                str(word)[2:].split("=", 1) for word in words if str(word).startswith("--")
            )
        except (yaml.YAMLError, KeyError, TypeError, IndexError, ValueError):
            return ""
        return values.get(name, "")

    def _certificates(self) -> dict[str, bytes]:
        """Return the files of /etc/kubernetes/pki, all of them loadable, signed and in date."""
        disk, now = self._system.disk, self._system.now()
        files = {}
        for authority, leaves in (
            ("ca", ("apiserver", "apiserver-kubelet-client")),
            ("etcd/ca", ("etcd/server", "etcd/peer", "apiserver-etcd-client")),
            ("front-proxy-ca", ("front-proxy-client",)),
        ):
            files[f"{authority}.crt"] = disk.read(f"{PKI}/{authority}.crt")
            issuer = load_certificate(files[f"{authority}.crt"])
            for leaf in leaves:
                certificate = files[f"{leaf}.crt"] = disk.read(f"{PKI}/{leaf}.crt")
                key = files[f"{leaf}.key"] = disk.read(f"{PKI}/{leaf}.key")
                pair = load_pair(certificate, key)
                if not signed_by(pair.certificate, issuer):
                    raise BadCertificate(f"{leaf}: x509: certificate signed by unknown authority")
                for one in (pair.certificate, issuer):
                    if not not_before(one) <= now <= not_after(one):
                        raise BadCertificate(
                            f"{leaf}: x509: certificate has expired or is not yet valid:"
                            f" current time {now:%Y-%m-%dT%H:%M:%SZ}"
                        )
        disk.read(f"{PKI}/sa.key")
        files["ca.key"] = disk.read(f"{PKI}/ca.key")
        return files

    def _data(self) -> Etcd:
        """Return the cluster whose data lies on this disk; a new one for an empty disk."""
        system = self._system
        mark = system.disk.text(MARK)
        guest = system.guest
        if guest.etcd is None or guest.etcd.identity != mark:
            from cse_client.simulator.kube import KubeAPI

            if guest.etcd is not None:
                guest.etcd.stop()
            api = KubeAPI(version=system.image.kubernetes, clock=guest.clock, outside=guest.outside)
            node = self._flag("etcd", "name") or system.hostname()
            guest.etcd = Etcd.joined(
                system.disk,
                api,
                node,
                self._endpoint()[0],
                version=etcd_version(system.image.kubernetes),
            )
            system.life.at_end(guest.etcd.stop)
        else:
            system.life.at_end(guest.etcd.stop)
        return guest.etcd
