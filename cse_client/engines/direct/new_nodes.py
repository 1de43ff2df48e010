"""What the VM of a node is made of: its name, script, template, hardware and description."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cse_client.engines.direct.made_of import template_mark
from cse_client.engines.direct.names import fresh_names
from cse_client.engines.direct.pool_sources import PoolSource
from cse_client.engines.direct.pools import pool_mark, pool_of
from cse_client.engines.direct.resolved import Resolved
from cse_client.guest import render
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.kubeconfig.document import server_url
from cse_client.model import WORKER, NewVm, Vm, VmChange, node_kind
from cse_client.model.hardware import Hardware

__all__ = ["NewNodes"]


@dataclass(frozen=True)
class NewNodes:
    """Describes VMs for the nodes of one cluster; nothing is read or changed in VCD.

    `mark` is in the description of each new VM, so that it is known who made it.
    """

    resolved: Resolved
    cluster_id: str
    mark: str

    def names(self, prefix: str, count: int, taken: Collection[str]) -> list[str]:
        """Return names for new nodes, the same ones in a run that resumes this one."""
        purpose = f"{self.cluster_id} {self.mark}"
        return fresh_names(prefix, count, taken, purpose=purpose)

    def control_plane(
        self, name: str, pki: ClusterPKI, snapshot: render.AwaitedSnapshot | None = None
    ) -> NewVm:
        """Return the first control plane; with `snapshot`, one that waits for it."""
        script = render.control_plane_script(self._bootstrap(name), pki, snapshot=snapshot)
        return self._control_plane(name, script)

    def further_control_planes(
        self, names: Sequence[str], pki: ClusterPKI, *, after: str = ""
    ) -> list[NewVm]:
        """Return control planes that join one after the other, the first of them after `after`."""
        return [
            self._control_plane(
                name,
                render.further_control_plane_script(self._bootstrap(name), pki, after=earlier),
            )
            for name, earlier in zip(names, [after, *names])
        ]

    def successor(self, name: str, pki: ClusterPKI, replaces: Sequence[str]) -> NewVm:
        """Return one more control plane, see `render.further_control_plane_script`.

        Raises:
            CseError: its script would be too long.
        """
        script = render.further_control_plane_script(self._bootstrap(name), pki, replaces=replaces)
        return self._control_plane(name, script)

    def worker(self, name: str, source: PoolSource, script: str) -> NewVm:
        """Return a worker of a pool; an empty `script` is set before its first start."""
        return self._with_policies(
            NewVm(
                name=name,
                source=source.template_vm,
                network=self.resolved.network.name,
                script=script,
                storage_profile=source.storage_profile,
                description=_description(
                    self.mark, pool_mark(source.pool.name), template_mark(source.template)
                ),
            )
        )

    def worker_script(self, name: str, source: PoolSource, pki: ClusterPKI, head: str) -> str:
        """Return a worker's script; `head` is the control plane's own address, if it is known."""
        endpoint = server_url(self.resolved.virtual.address or head).removeprefix("https://")
        bootstrap = replace(self._bootstrap(name), facts=source.template.facts)
        return render.worker_script(bootstrap, pki, endpoint=endpoint, head=head, pool=source.pool)

    # Hardware

    def hardware(self, vm: Vm | NewVm) -> Hardware:
        """Return what a node is to be made of."""
        if node_kind(vm.name) != WORKER:
            return self.resolved.head
        return self.resolved.source(pool_of(vm)).hardware

    def sized(self, vm: NewVm) -> NewVm:
        """Return a new VM that has its size from the start."""
        hardware = self.hardware(vm)
        return replace(
            vm, cpus=hardware.cpus, memory_mb=hardware.memory_mb, disk_mb=hardware.disk_mb
        )

    def sizing(self, vm: Vm) -> VmChange:
        """Return the change that gives a VM its size."""
        hardware = self.hardware(vm)
        return VmChange(
            href=vm.href,
            name=vm.name,
            cpus=hardware.cpus,
            memory_mb=hardware.memory_mb,
            disk_mb=hardware.disk_mb,
        )

    def has_other_size(self, vm: Vm) -> bool:
        """Return whether a VM has another size than requested; what VCD does not show is right."""
        hardware = self.hardware(vm)
        return any(
            wanted and present and wanted != present
            for wanted, present in (
                (hardware.cpus, vm.cpus),
                (hardware.memory_mb, vm.memory_mb),
                (hardware.disk_mb, vm.disk_mb),
            )
        )

    # Private

    def _bootstrap(self, node: str) -> render.Bootstrap:
        spec = self.resolved.spec
        return render.Bootstrap(
            cluster_id=self.cluster_id,
            cluster_name=spec.name,
            node=node,
            # A name for the outside goes into the certificate only: the nodes talk to the control
            # plane's own address, which works whatever NAT or DNS do.
            extra_sans=(spec.endpoint.partition(":")[0],) if spec.endpoint else (),
            virtual_address=self.resolved.virtual.address,
            ssh_key=spec.ssh_key,
            facts=self.resolved.template.facts,
            settings=spec.settings,
        )

    def _control_plane(self, name: str, script: str) -> NewVm:
        resolved = self.resolved
        return self._with_policies(
            NewVm(
                name=name,
                source=resolved.template_vm,
                network=resolved.network.name,
                script=script,
                storage_profile=resolved.storage_profile,
                description=_description(self.mark, template_mark(resolved.template)),
            )
        )

    def _with_policies(self, vm: NewVm) -> NewVm:
        hardware = self.hardware(vm)
        return replace(
            vm,
            sizing_policy=hardware.sizing_policy,
            placement_policy=hardware.placement_policy,
        )


def _description(*parts: str) -> str:
    return " ".join(filter(None, parts))
