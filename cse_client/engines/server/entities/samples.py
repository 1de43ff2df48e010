"""Files to start from for `cluster apply`, for each generation of CSE 3.

The keys and the values to be replaced are those of CSE's own samples (container-service-extension
3.0.5, container_service_extension/client/sample_generator.py; 3.1.4, rde/models/rde_2_1_0.py).
"""

from __future__ import annotations

from cse_client import suggest

__all__ = ["GENERATIONS", "sample"]

_FIRST = """\
# A native cluster for a CSE server 3.0 (entities of type 1.0.0).
# Replace the names, leave out what is optional, then: vcd cse cluster apply FILE
# The same command with a changed file changes the cluster: workers.count up and down, nfs.count up.
api_version: ''
kind: native
metadata:
  cluster_name: cluster_name              # at most 25 letters, digits and dashes
  org_name: organization_name
  ovdc_name: org_virtual_datacenter_name
spec:
  control_plane:                          # optional
    count: 1                              # always 1
    sizing_class: Large_sizing_policy_name        # optional: a sizing policy of the VDC
    storage_profile: Gold_storage_profile_name    # optional
  workers:                                # optional
    count: 2
    sizing_class: Medium_sizing_policy_name
    storage_profile: Silver_storage_profile
  nfs:                                    # optional
    count: 0
    sizing_class: Large_sizing_policy_name
    storage_profile: Platinum_storage_profile_name
  k8_distribution:                        # see: vcd cse template list
    template_name: ubuntu-16.04_k8-1.17_weave-2.6.0
    template_revision: 2
  settings:
    network: ovdc_network_name            # an org VDC network with a way to the Internet
    rollback_on_failure: true             # false keeps what a failed creation made
    # ssh_key: ssh-ed25519 AAAA...        # optional: a public key for root
"""

_SECOND = """\
# A native cluster for a CSE server 3.1 (entities of type {type}).
# Replace the names, leave out what is optional, then: vcd cse cluster apply FILE
# The same command with a changed file changes the cluster: workers.count up and down, nfs.count up,
# or the template (an upgrade), one of these at a time.
apiVersion: cse.vmware.com/{payload}
kind: native
metadata:
  name: cluster_name                      # at most 25 letters, digits and dashes
  orgName: organization_name
  virtualDataCenterName: org_virtual_data_center_name
  site: VCD_site                          # the name of VCD itself, as in https://NAME
spec:
  topology:
    controlPlane:                         # optional
      count: 1                            # always 1
      sizingClass: Large_sizing_policy_name       # optional: a sizing policy of the VDC,
      # cpu: 2                                    # or numbers instead of it
      # memory: 4096                              # in MB
      storageProfile: Gold_storage_profile_name   # optional
    workers:                              # optional
      count: 2
      sizingClass: Medium_sizing_policy_name
      storageProfile: Silver_storage_profile
    nfs:                                  # optional
      count: 0
      sizingClass: Large_sizing_policy_name
      storageProfile: Platinum_storage_profile_name
  distribution:                           # see: vcd cse template list
    templateName: ubuntu-16.04_k8-1.17_weave-2.6.0
    templateRevision: 2
  settings:
    ovdcNetwork: ovdc_network_name        # an org VDC network with a way to the Internet
    rollbackOnFailure: true               # false keeps what a failed creation made
    # sshKey: ssh-ed25519 AAAA...         # optional: a public key for root
    network:
      expose: false                       # true: reachable through the edge gateway
"""

#: What `--cse-version` may say, and the entity type that goes with it.
GENERATIONS = {"3.0": "1.0.0", "3.1": "2.1.0"}


def sample(version: str) -> str:
    """Return the YAML text of a file for entities of type `version`, explained in comments."""
    if version.startswith("1."):
        return _called(_FIRST)
    payload = "v2.0" if version == "2.0.0" else "v2.1"
    return _called(_SECOND.format(type=version, payload=payload))


def _called(text: str) -> str:
    return text.replace("vcd cse", suggest.program_name())
