"""Repairing a cluster that has drifted: a plan first, carried out only on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from cse_client import bounds, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.credentials import API_TIMEOUT, PROBE_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.describe import Asked, ask_kubernetes
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.members import remove_member
from cse_client.engines.direct.operations.plan import Step, carry_out
from cse_client.engines.direct.operations.power import heard_since, keys_at_hand
from cse_client.engines.direct.pools import pool_of
from cse_client.engines.direct.removal import delete_vms
from cse_client.engines.direct.root_key import own_key
from cse_client.engines.direct.specs import lost_settings
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
    footprint,
    node_kind,
)
from cse_client.model.cloud import POWERED_ON
from cse_client.model.pools import Pool
from cse_client.vcd import tasks
from cse_client.vcd.tasks import Task

if TYPE_CHECKING:
    from cse_client.guest.pki import ClusterPKI

__all__ = ["Action", "Remedy", "Repair", "remedies"]

_HOPELESS = ("FAILED_CREATION", "UNRESOLVED", "INCONSISTENT_STATE")


class Action(Enum):
    """What can be done about a node, or about workers that are missing."""

    FORGET = "delete its Kubernetes node"
    DELETE = "delete its VM"
    START = "start its VM"
    RESTART = "restart its VM"
    BOOTSTRAP = "run its bootstrap again"
    GROW = "create workers"
    GROW_HEADS = "create control planes"


@dataclass(frozen=True)
class Remedy:
    """One thing to do. `node` is the name of a VM or Kubernetes node; empty for new workers.

    New workers are of `pool`, and it has `size` of them afterwards.
    """

    action: Action
    sentence: str
    node: str = ""
    pool: str = ""
    size: int = 0

    @property
    def is_awaited(self) -> bool:
        """Whether the node is to be Ready afterwards."""
        return self.action in (Action.START, Action.RESTART, Action.BOOTSTRAP)


def remedies(
    vms: Sequence[Vm], nodes: Sequence[Node], pools: Sequence[Pool], heads: int = 0
) -> list[Remedy]:
    """Return what puts a cluster right, in the order in which it is to be done.

    `nodes` are the VMs as nodes and what Kubernetes has beyond them. `pools` are the worker pools
    with the sizes that they are to have, none where that is not known; `heads` is the number of
    control planes, 0 where none can be added.
    """
    present = {vm.name: vm for vm in vms}
    ours = [node for node in nodes if node.kind == CONTROL_PLANE]
    ours = [node for node in ours if heads or node.name in present]
    others = [node for node in nodes if node.kind == WORKER]
    several = sum(1 for vm in vms if node_kind(vm.name) == CONTROL_PLANE) > 1
    found = [
        remedy
        for node in (*ours, *others)
        if (remedy := _remedy(node, has_vm=node.name in present, several=several)) is not None
    ]
    sound = [vm for vm in vms if node_kind(vm.name) == CONTROL_PLANE and vm.status not in _HOPELESS]
    if len(sound) < heads:
        lacking = heads - len(sound)
        noun = "a control plane that is" if lacking == 1 else f"{lacking} control planes that are"
        found.append(Remedy(Action.GROW_HEADS, f"Replace {noun} missing."))
    workers = [vm for vm in vms if node_kind(vm.name) == WORKER and vm.status not in _HOPELESS]
    whole = Counter(map(pool_of, workers))
    for pool in pools:
        missing = pool.size - whole[pool.name]
        if missing > 0:
            of_pool = f" of pool '{pool.name}'" if len(pools) > 1 else ""
            noun = f"a worker{of_pool} that is"
            if missing > 1:
                noun = f"{missing} workers{of_pool} that are"
            text = f"Replace {noun} missing."
            found.append(Remedy(Action.GROW, text, pool=pool.name, size=pool.size))
    return found


def _remedy(node: Node, *, has_vm: bool, several: bool) -> Remedy | None:
    name = node.name
    if not has_vm:
        text = f"Delete the Kubernetes node {name}, which has no VM."
        return Remedy(Action.FORGET, text, name)
    if node.vm_status in _HOPELESS:
        # the only control plane is beyond repair if VCD could not make it
        text = f"Delete the VM {name}, which VCD could not make."
        return Remedy(Action.DELETE, text, name) if node.kind == WORKER or several else None
    if node.vm_status != POWERED_ON:
        return Remedy(Action.START, f"Start the VM {name}.", name)
    if node.kubernetes_status == "not in the cluster" and node.kind == WORKER:
        text = f"Run the bootstrap of {name} again, which is not in the cluster."
        return Remedy(Action.BOOTSTRAP, text, name)
    if node.kubernetes_status.startswith(("NotReady", "Unknown")):
        text = f"Restart the VM {name}, whose node is not Ready."
        return Remedy(Action.RESTART, text, name)
    return None


class Repair:
    """One look at a cluster, and what follows from it.

    `grow` brings the number of a pool's workers to the desired one, once broken nodes are removed,
    `grow_heads` that of control planes.
    """

    def __init__(
        self,
        cluster: ExistingCluster,
        options: RunOptions,
        *,
        grow: Callable[[str, int], None],
        grow_heads: Callable[[int], None],
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._cluster = cluster
        self._options = options
        self._grow = grow
        self._grow_heads = grow_heads
        self._clock = clock
        self._progress = progress
        self._deadline = clock.monotonic() + bounds.share(options.timeout)
        self._pki: ClusterPKI | None = None
        self._remedies = self._plan()

    @property
    def plan(self) -> tuple[str, ...]:
        """What there is to do, one sentence each; empty when the cluster is as it should be."""
        return tuple(remedy.sentence for remedy in self._remedies)

    def carry_out(self) -> None:
        """Do it, and wait until every node that was touched is Ready."""
        began = self._clock.monotonic()
        done: set[int] = set()

        def step(number: int, remedy: Remedy) -> Step:
            def run() -> None:
                self._apply(remedy)
                done.add(number)

            return Step(remedy.sentence.rstrip("."), remedy.sentence, lambda: number in done, run)

        try:
            steps = [step(n, remedy) for n, remedy in enumerate(self._remedies)]
            touched = [remedy.node for remedy in self._remedies if remedy.is_awaited]
            if touched and self._options.wait and self._pki is None:
                self._pki = keys_at_hand(self._cluster, self._progress)
            carry_out(steps, self._progress, lambda: None)
            if touched and self._options.wait and self._pki is not None:
                self._await(touched, began)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted; cluster '{self._cluster.name}' is only partly repaired.",
                hint=suggest.RESUME,
            ) from None

    # Deciding

    def _plan(self) -> list[Remedy]:
        asked = self._ask()
        vapp = self._cluster.vapp
        heads = self._cluster.desired_heads if self._cluster.virtual_address else 0
        pools = self._cluster.pools if self._cluster.desired_workers is not None else ()
        found = remedies(vapp.vms, asked.all_nodes(vapp), pools, heads)
        if asked.silence is not None and not found:
            asked.silence.notes.append(
                "Its VMs need no repair; the nodes' state in Kubernetes is not known."
            )
            raise asked.silence
        return found

    def _ask(self) -> Asked:
        """Ask Kubernetes.

        Raises:
            ClusterUnreachable: no repair from here can help.
        """
        asked = ask_kubernetes(self._cluster, certificate=True)
        if isinstance(asked.silence, ClusterUnreachable) and asked.silence.reason == EXPIRED:
            raise asked.silence
        if asked.certificate:
            self._progress(Event(EventKind.WARNING, f"{asked.certificate}."))
        return asked

    # Doing

    def _apply(self, remedy: Remedy) -> None:
        if remedy.action is Action.GROW:
            self._grow(remedy.pool, remedy.size)
        elif remedy.action is Action.GROW_HEADS:
            self._grow_heads(self._cluster.desired_heads)
        elif remedy.action is Action.FORGET:
            self._forget(remedy.node)
        elif remedy.action is Action.DELETE:
            self._delete(remedy.node)
        else:
            vm = next(one for one in self._cluster.vapp.vms if one.name == remedy.node)
            changes = {
                Action.START: self._start,
                Action.RESTART: self._restart,
                Action.BOOTSTRAP: self._bootstrap_again,
            }
            changes[remedy.action](vm)

    def _leave_etcd(self, name: str) -> None:
        """Remove a control plane from etcd, before its VM or Node goes."""
        if node_kind(name) != CONTROL_PLANE:
            return
        cluster = self._cluster
        address = next((vm.ip for vm in cluster.vapp.vms if vm.name == name), "")
        remove_member(cluster, self._keys(), name, address)

    def _forget(self, name: str) -> None:
        self._leave_etcd(name)
        with open_api(self._cluster, self._keys(), timeout=API_TIMEOUT) as api:
            delete_node(api, name)

    def _delete(self, name: str) -> None:
        self._leave_etcd(name)
        delete_vms(self._cluster.vcd, self._cluster.vapp.href, [name], deadline=self._deadline)

    def _start(self, vm: Vm) -> None:
        vcd = self._cluster.vcd
        start = vcd.power_on_vapp if vm.deployed else vcd.deploy
        self._change(lambda: start(vm.href))

    def _restart(self, vm: Vm) -> None:
        vcd = self._cluster.vcd
        if vm.deployed:
            self._change(lambda: vcd.undeploy(vm.href))
        self._change(lambda: vcd.deploy(vm.href))

    def _bootstrap_again(self, vm: Vm) -> None:
        """Give the VM a script with a fresh join certificate, and have it customized again."""
        cluster, vcd = self._cluster, self._cluster.vcd
        for problem in lost_settings(cluster):
            raise problem
        # the key that this very node has, not what the metadata says by now
        key = own_key(vcd, vm.href)
        bootstrap = render.Bootstrap(
            cluster_id=cluster.metadata[footprint.CLUSTER_ID],
            cluster_name=cluster.name,
            node=vm.name,
            ssh_key=key.line if key is not None else "",
            settings=cluster.spec.settings,
        )
        # nodes do not join by what outsiders call the cluster
        cluster.require_control_plane()
        host = cluster.node_endpoint
        endpoint = server_url(host).removeprefix("https://")
        pools = {pool.name: pool for pool in cluster.pools}
        pool = pools.get(pool_of(vm), Pool(pool_of(vm)))
        script = render.worker_script(bootstrap, self._keys(), endpoint=endpoint, pool=pool)
        if vm.deployed:
            self._change(lambda: vcd.undeploy(vm.href))
        self._change(lambda: vcd.write_customization_script(vm.href, script))
        self._change(lambda: vcd.deploy(vm.href, force_customization=True))

    def _change(self, call: Callable[[], Task]) -> None:
        vcd = self._cluster.vcd
        tasks.done(vcd, call, deadline=self._deadline)

    def _keys(self) -> ClusterPKI:
        if self._pki is None:
            self._pki = find_pki(self._cluster)
        return self._pki

    def _await(self, names: Sequence[str], began: float) -> None:
        cluster = self._cluster
        with open_api(cluster, self._keys(), timeout=PROBE_TIMEOUT) as api:
            await_nodes(
                cluster.vcd,
                cluster.vapp.href,
                names,
                api=api,
                kube_nodes=heard_since(api, began, self._clock),
                clock=self._clock,
                deadline=self._deadline,
                progress=self._progress,
                restarted=True,
            )
