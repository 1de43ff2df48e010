"""What a build leaves in VCD, so that an interrupted one is recognized.

The vApp's name follows from the template's; its description says whose it is and what was asked
for. The template's description has the id of its build, too.
"""

from __future__ import annotations

import hashlib
import json

from cse_client.model.templates import BuildSpec

__all__ = [
    "describe_build",
    "describe_template",
    "options_of",
    "vapp_name",
]

_PREFIX = "cse-template-"


def vapp_name(template: str) -> str:
    """Return the name of the vApp that a template is built in."""
    return f"{_PREFIX}{template}"


def describe_build(name: str, build_id: str, owner: str, options: str) -> str:
    """Return the description of the vApp; owner and options are read by `model.footprint`."""
    return f"template '{name}' [template build {build_id}] [by {owner}] [options {options}]"


def describe_template(text: str, build_id: str) -> str:
    """Return the description of a template that was built."""
    return f"{text} [template build {build_id}]"


def options_of(spec: BuildSpec, source: str, catalog: str) -> str:
    """Return a short digest of what was asked for; `source` is the source template's id."""
    values = {
        "source": source,
        "catalog": catalog,
        "network": spec.network,
        "kubernetes": spec.kubernetes,
        "cni": [spec.cni.name, spec.cni.version, spec.cni.url, spec.cni.text],
        "sizes": [spec.cpus, spec.memory_mb, spec.disk_mb],
        "storage": spec.storage_profile,
        "packages": spec.package_source,
        "settings": spec.settings.given(),
    }
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
