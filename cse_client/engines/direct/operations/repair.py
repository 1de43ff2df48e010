"""Putting a drifted cluster right: a plan first, carried out only when that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cse_client import bounds
from cse_client.engines.direct import metadata as keys
from cse_client.engines.direct.credentials import endpoint_host
from cse_client.engines.direct.describe import Asked, ask_kubernetes
from cse_client.engines.direct.existing import Standing
from cse_client.engines.direct.machines import delete_vms
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.operations.power import heard_since, keys_at_hand
from cse_client.engines.direct.root_key import own_key
from cse_client.engines.direct.waiting import await_nodes
from cse_client.errors import ClusterUnreachable, Interrupted
from cse_client.guest import render
from cse_client.kube.drain import delete_node
from cse_client.kube.kubeconfig.document import server_url
from cse_client.kube.serving import EXPIRED
from cse_client.model import (
    CONTROL_PLANE,
    WORKER,
    Event,
    EventKind,
    Node,
    Progress,
    RunOptions,
    Vm,
    node_kind,
)
from cse_client.vcd import tasks
from cse_client.vcd.tasks import Clock, Task

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI

__all__ = ["Repair"]

_ON = "POWERED_ON"
_HOPELESS = ("FAILED_CREATION", "UNRESOLVED", "INCONSISTENT_STATE")
_API_TIMEOUT = 3.0


@dataclass(frozen=True)
class _Remedy:
    """One thing to do about one node; `node` is to be Ready afterwards, unless it is empty."""

    sentence: str
    run: Callable[[], None]
    node: str = ""


class Repair:
    """One look at a cluster, and what follows from it.

    `grow` brings the number of workers to what was asked for, once what is broken is out.
    """

    def __init__(
        self,
        standing: Standing,
        options: RunOptions,
        *,
        grow: Callable[[int], None],
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._standing = standing
        self._options = options
        self._grow = grow
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._pki: ClusterPKI | None = None
        self._wanted = standing.wanted_workers
        self._remedies = self._plan()

    @property
    def plan(self) -> tuple[str, ...]:
        """What there is to do, one sentence each; empty when the cluster is as it should be."""
        return tuple(remedy.sentence for remedy in self._remedies)

    def carry_out(self) -> None:
        """Do it, and wait until every node that was touched is Ready."""
        began = self._clock.monotonic()
        done: set[int] = set()

        def step(number: int, remedy: _Remedy) -> Step:
            def run() -> None:
                remedy.run()
                done.add(number)

            return Step(remedy.sentence.rstrip("."), remedy.sentence, lambda: number in done, run)

        try:
            steps = [step(n, remedy) for n, remedy in enumerate(self._remedies)]
            touched = [remedy.node for remedy in self._remedies if remedy.node]
            if touched and self._options.wait and self._pki is None:
                self._pki = keys_at_hand(self._standing, self._progress)
            carry_out(steps, self._progress, lambda: None)
            if touched and self._options.wait and self._pki is not None:
                self._await(touched, began)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; cluster '{self._standing.name}' is only partly repaired.",
                hint="The same command again carries on.",
            ) from None

    # ---- deciding -------------------------------------------------------------------------

    def _plan(self) -> list[_Remedy]:
        asked = self._ask()
        nodes = asked.all_nodes(self._standing.vapp)
        vms = {vm.name: vm for vm in self._standing.vapp.vms}
        heads = [node for node in nodes if node.kind == CONTROL_PLANE and node.name in vms]
        others = [node for node in nodes if node.kind == WORKER]
        remedies = [
            remedy
            for node in (*heads, *others)
            if (remedy := self._remedy(node, vms.get(node.name))) is not None
        ]
        whole = sum(
            1 for vm in vms.values() if node_kind(vm.name) == WORKER and vm.status not in _HOPELESS
        )
        if self._wanted is not None and whole < self._wanted:
            missing = self._wanted - whole
            noun = "a worker that is" if missing == 1 else f"{missing} workers that are"
            wanted = self._wanted
            remedies.append(_Remedy(f"Replace {noun} missing.", lambda: self._grow(wanted)))
        if asked.silence is not None and not remedies:
            asked.silence.notes.append(
                "Its VMs are as they should be; what Kubernetes says of the nodes is not known."
            )
            raise asked.silence
        return remedies

    def _ask(self) -> Asked:
        """Ask Kubernetes. Raises ClusterUnreachable where no repair from here can help."""
        standing = self._standing
        asked = ask_kubernetes(
            standing.vcd,
            standing.vdc,
            standing.vapp,
            standing.metadata,
            org=standing.session.org,
            user=standing.session.user,
            certificate=True,
        )
        if isinstance(asked.silence, ClusterUnreachable) and asked.silence.reason == EXPIRED:
            raise asked.silence
        if asked.certificate:
            self._progress(Event(EventKind.WARNING, f"{asked.certificate}."))
        return asked

    def _remedy(self, node: Node, vm: Vm | None) -> _Remedy | None:
        if vm is None:
            return _Remedy(
                f"Delete the Kubernetes node {node.name}, which has no VM.",
                partial(self._forget, node.name),
            )
        if node.vm_status in _HOPELESS and node.kind == WORKER:
            return _Remedy(
                f"Delete the VM {node.name}, which VCD could not make.",
                partial(self._delete, node.name),
            )
        if node.vm_status in _HOPELESS:
            return None
        if node.vm_status != _ON:
            return _Remedy(f"Start the VM {node.name}.", partial(self._start, vm), node.name)
        return self._remedy_in_kubernetes(node, vm)

    def _remedy_in_kubernetes(self, node: Node, vm: Vm) -> _Remedy | None:
        if node.kubernetes_status == "not in the cluster" and node.kind == WORKER:
            return _Remedy(
                f"Run the bootstrap of {node.name} again, which is not in the cluster.",
                partial(self._bootstrap_again, vm),
                node.name,
            )
        if node.kubernetes_status.startswith(("NotReady", "Unknown")):
            return _Remedy(
                f"Restart the VM {node.name}, whose node is not Ready.",
                partial(self._restart, vm),
                node.name,
            )
        return None

    # ---- doing ----------------------------------------------------------------------------

    def _forget(self, name: str) -> None:
        with self._standing.api(self._keys()) as api:
            delete_node(api, name)

    def _delete(self, name: str) -> None:
        delete_vms(self._standing.vcd, self._standing.vapp.href, [name], deadline=self._deadline)

    def _start(self, vm: Vm) -> None:
        vcd = self._standing.vcd
        start = vcd.power_on_vapp if vm.deployed else vcd.deploy
        self._change(lambda: start(vm.href))

    def _restart(self, vm: Vm) -> None:
        vcd = self._standing.vcd
        if vm.deployed:
            self._change(lambda: vcd.undeploy(vm.href))
        self._change(lambda: vcd.deploy(vm.href))

    def _bootstrap_again(self, vm: Vm) -> None:
        """Give the VM a script with a fresh join certificate, and have it customized again."""
        standing, vcd = self._standing, self._standing.vcd
        # the key that this very node has, not what the metadata says by now
        key = own_key(vcd, vm.href)
        bootstrap = render.Bootstrap(
            cluster_id=standing.metadata[keys.CLUSTER_ID],
            cluster_name=standing.name,
            node=vm.name,
            ssh_key=key.line if key is not None else "",
        )
        # nodes join by the control plane's own address, not by what outsiders call the cluster
        host = endpoint_host(standing.vapp, {})
        endpoint = server_url(host).removeprefix("https://")
        script = render.worker_script(bootstrap, self._keys(), endpoint=endpoint)
        if vm.deployed:
            self._change(lambda: vcd.undeploy(vm.href))
        self._change(lambda: vcd.write_customization_script(vm.href, script))
        self._change(lambda: vcd.deploy(vm.href, force_customization=True))

    def _change(self, call: Callable[[], Task]) -> None:
        vcd = self._standing.vcd
        task = tasks.change(vcd, call, deadline=self._deadline)
        tasks.wait(vcd, task, deadline=self._deadline)

    def _keys(self) -> ClusterPKI:
        if self._pki is None:
            self._pki = self._standing.pki()
        return self._pki

    def _await(self, names: Sequence[str], began: float) -> None:
        standing = self._standing
        with standing.api(self._keys(), timeout=_API_TIMEOUT) as api:
            await_nodes(
                standing.vcd,
                standing.vapp.href,
                names,
                api=api,
                kube_nodes=heard_since(api, began, self._clock),
                clock=self._clock,
                deadline=self._deadline,
                progress=self._progress,
            )
