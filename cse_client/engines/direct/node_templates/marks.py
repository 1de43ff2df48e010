"""What a build leaves in VCD, so that an interrupted one is recognized.

The vApp's name follows from the template's; its description says whose it is and what was asked
for. The template's description has the id of its build, too.
"""

from __future__ import annotations

import hashlib
import json
import re

from cse_client.model.templates import BuildSpec

__all__ = [
    "build_id_in",
    "describe_build",
    "describe_template",
    "options_of",
    "vapp_name",
]

_PREFIX = "cse-template-"
_BUILD_ID = re.compile(r"\[template build ([0-9a-f-]{36})\]")


def vapp_name(template: str) -> str:
    """Return the name of the vApp that a template is built in."""
    return f"{_PREFIX}{template}"


def describe_build(name: str, build_id: str, owner: str, options: str) -> str:
    """Return the description of the vApp; owner and options are read by `model.footprint`."""
    return f"template '{name}' [template build {build_id}] [by {owner}] [options {options}]"


def describe_template(text: str, build_id: str) -> str:
    """Return the description of a template that was built."""
    return f"{text} [template build {build_id}]"


def build_id_in(description: str) -> str:
    """Return the id of the build that a description names, or an empty string."""
    found = _BUILD_ID.search(description)
    return found.group(1) if found else ""


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
