"""The scripts that make a node template of a plain Ubuntu, and that look at one from inside.

Phases, log and report are those of a node's bootstrap; see scripts/template.sh and scripts/seal.sh.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cse_client.errors import WrongUsage
from cse_client.guest.render import Bootstrap, assemble, common_data
from cse_client.guest.script_format import put_file
from cse_client.model import TemplateFacts
from cse_client.model.cni import HELM_VERSION, Cni
from cse_client.model.settings import ClusterSettings
from cse_client.model.support import NEWEST_MINOR

__all__ = ["CHECK_VM", "TEMPLATE_VM", "Build", "check_script", "template_script"]

#: Name of the VM that is built, and so of the VM in the template.
TEMPLATE_VM = "template"
#: Name of the VM that looks at a template from inside.
CHECK_VM = "check"

#: MB that packages and images take, and what containers need to start.
_NEEDED_MB = 4000
_APT_SECONDS = 900


@dataclass(frozen=True)
class Build:
    """What the script is made of; see `model.templates.BuildSpec`."""

    build_id: str
    name: str
    kubernetes: str
    cni: Cni
    package_source: str
    grow: bool = False
    settings: ClusterSettings = field(default_factory=ClusterSettings)


def template_script(build: Build) -> str:
    """Return the script.

    Raises:
        WrongUsage: a value cannot stand in a script, or the CNI manifest is too long for one.
    """
    bootstrap = Bootstrap(
        cluster_id=build.build_id,
        cluster_name=build.name,
        node=TEMPLATE_VM,
        settings=build.settings,
    )
    cni = build.cni
    data = {
        **common_data(bootstrap, None),
        "KUBE": build.kubernetes,
        "SOURCE": build.package_source,
        "NEWEST": str(NEWEST_MINOR),
        "GROW": "1" if build.grow else "",
        "NEED_MB": str(_NEEDED_MB),
        "T_APT": str(_APT_SECONDS),
        "CNI_URL": cni.url,
        "CNI_MANIFEST": cni.path,
        "HELM": HELM_VERSION if cni.chart else "",
    }
    block = [] if cni.url else ["put_manifest() {", put_file('"$D/cni"', "600", cni.text), "}"]
    return assemble(
        "template",
        bootstrap,
        data,
        block,
        sources=("packages", "seal"),
        too_long=WrongUsage(
            "The CNI manifest is too long for the customization script that VCD runs in the VM.",
            hint="Put it on a web server that the VM can reach, and specify its URL with --cni.",
        ),
    )


def check_script(check_id: str, template: str, facts: TemplateFacts) -> str:
    """Return the script that reports what a template has of what nodes need.

    Raises:
        WrongUsage: a value cannot stand in a script.
    """
    bootstrap = Bootstrap(cluster_id=check_id, cluster_name=template, node=CHECK_VM, facts=facts)
    data = {
        **common_data(bootstrap, None),
        "KUBE": facts.kubernetes,
        "CNI_MANIFEST": facts.cni_manifest,
    }
    return assemble("check", bootstrap, data, [])
