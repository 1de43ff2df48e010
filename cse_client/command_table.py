"""All commands by name, with a line of help for each, and where they are; see `commands`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COMMANDS", "FORMER", "GROUPS"]

#: Group (and group in it) -> its help, and its commands: name -> (module, one line of help). The
#: command is the module's attribute of the same name; `-` and Python keywords become `_`.
GROUPS: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]] = {
    "addon": (
        "Install a load balancer and an ingress controller in a cluster.",
        {
            "install": (
                "cse_client.cli.commands.addon",
                "Install or upgrade an add-on and verify that it works.",
            ),
            "list": (
                "cse_client.cli.commands.addon",
                "List the available add-ons and their versions.",
            ),
            "remove": ("cse_client.cli.commands.addon", "Remove an add-on and its resources."),
            "status": ("cse_client.cli.commands.addon", "Show the status of a cluster's add-ons."),
        },
    ),
    "cluster": (
        "Create, show, change and delete Kubernetes clusters.",
        {
            "apply": (
                "cse_client.cli.commands.cluster.apply",
                "Create or update a cluster from a file.",
            ),
            "backup": (
                "cse_client.cli.commands.cluster.backup",
                "Back up a cluster's Kubernetes objects and keys to an encrypted file.",
            ),
            "config": (
                "cse_client.cli.commands.cluster.config",
                "Print or save a cluster's kubeconfig.",
            ),
            "create": (
                "cse_client.cli.commands.cluster.create",
                "Create a cluster, or resume a creation that was interrupted.",
            ),
            "credential": (
                "cse_client.cli.commands.cluster.credential",
                "Print a short-lived credential for kubectl.",
            ),
            "delete": (
                "cse_client.cli.commands.cluster.delete",
                "Delete a cluster and verify that nothing is left.",
            ),
            "delete-nfs": (
                "cse_client.cli.commands.cluster.delete_nfs",
                "Delete an NFS node from a cluster.",
            ),
            "diagnose": (
                "cse_client.cli.commands.cluster.diagnose",
                "Find out why a cluster does not work.",
            ),
            "events": (
                "cse_client.cli.commands.cluster.events",
                "Show what happened to a cluster: when, who, how long, and how it ended.",
            ),
            "export": (
                "cse_client.cli.commands.cluster.export",
                "Print the file that describes a cluster.",
            ),
            "grant": (
                "cse_client.cli.commands.cluster.grants",
                "Grant a user or a group a role in a cluster.",
            ),
            "grants": (
                "cse_client.cli.commands.cluster.grants",
                "List the roles granted in a cluster.",
            ),
            "info": ("cse_client.cli.commands.cluster.info", "Show a cluster and its nodes."),
            "list": (
                "cse_client.cli.commands.cluster.list",
                "List clusters.",
            ),
            "protect": (
                "cse_client.cli.commands.cluster.protect",
                "Protect a cluster against deletion.",
            ),
            "renew": (
                "cse_client.cli.commands.cluster.renew",
                "Renew the certificates of a cluster's control planes.",
            ),
            "repair": (
                "cse_client.cli.commands.cluster.repair",
                "Show how to repair a cluster; apply the repairs with --yes.",
            ),
            "resize": (
                "cse_client.cli.commands.cluster.resize",
                "Scale a cluster to a number of workers, or of control planes.",
            ),
            "restore": (
                "cse_client.cli.commands.cluster.restore",
                "Restore a cluster from a backup, or make a new cluster from it.",
            ),
            "revoke": (
                "cse_client.cli.commands.cluster.grants",
                "Revoke roles granted to a user or a group.",
            ),
            "seal": (
                "cse_client.cli.commands.cluster.seal",
                "Remove a cluster's CA key from VCD and keep it on this machine.",
            ),
            "share": (
                "cse_client.cli.commands.cluster.share",
                "Share a cluster with users of its organization.",
            ),
            "share-list": (
                "cse_client.cli.commands.cluster.share",
                "List the users a cluster is shared with.",
            ),
            "start": ("cse_client.cli.commands.cluster.power", "Start a stopped cluster."),
            "stop": ("cse_client.cli.commands.cluster.power", "Stop a running cluster."),
            "unprotect": (
                "cse_client.cli.commands.cluster.protect",
                "End the protection of a cluster against deletion.",
            ),
            "unshare": (
                "cse_client.cli.commands.cluster.share",
                "Stop sharing a cluster with users.",
            ),
            "upgrade": (
                "cse_client.cli.commands.cluster.upgrade",
                "Upgrade a cluster to the Kubernetes version of a newer template.",
            ),
            "upgrade-plan": (
                "cse_client.cli.commands.cluster.upgrade",
                "List the templates a cluster can be upgraded to, and show the plan.",
            ),
            "wait": (
                "cse_client.cli.commands.cluster.wait",
                "Wait until a cluster is ready, or until it is deleted.",
            ),
        },
    ),
    "node": (
        "Add, show and delete the nodes of a cluster.",
        {
            "create": ("cse_client.cli.commands.node", "Add workers to a cluster."),
            "delete": (
                "cse_client.cli.commands.node",
                "Drain workers, remove them from the cluster and delete their VMs.",
            ),
            "info": ("cse_client.cli.commands.node", "Show a node of a cluster."),
            "list": ("cse_client.cli.commands.node", "List the nodes of a cluster."),
        },
    ),
    "ovdc": (
        "Enable and disable org VDCs for clusters (requires a CSE server).",
        {
            "disable": (
                "cse_client.cli.commands.ovdc",
                "Disable cluster creation in an org VDC.",
            ),
            "enable": ("cse_client.cli.commands.ovdc", "Enable cluster creation in an org VDC."),
            "info": (
                "cse_client.cli.commands.ovdc",
                "Show which clusters an org VDC is enabled for.",
            ),
            "list": (
                "cse_client.cli.commands.ovdc",
                "List org VDCs and the clusters they are enabled for.",
            ),
        },
    ),
    "ovdc compute-policy": (
        "Show and change the compute policies of an org VDC.",
        {
            "add": (
                "cse_client.cli.commands.compute_policy",
                "Add a compute policy to an org VDC.",
            ),
            "list": (
                "cse_client.cli.commands.compute_policy",
                "List the compute policies of an org VDC.",
            ),
            "remove": (
                "cse_client.cli.commands.compute_policy",
                "Remove a compute policy from an org VDC.",
            ),
        },
    ),
    "pool": (
        "Manage the worker pools of a cluster.",
        {
            "create": ("cse_client.cli.commands.pool", "Add a worker pool to a cluster."),
            "delete": (
                "cse_client.cli.commands.pool",
                "Drain the workers of a pool, delete their VMs, and delete the pool.",
            ),
            "list": ("cse_client.cli.commands.pool", "List the worker pools of a cluster."),
            "resize": ("cse_client.cli.commands.pool", "Change the number of a pool's workers."),
            "update": (
                "cse_client.cli.commands.pool",
                "Change the labels and taints of a pool and of its nodes.",
            ),
            "upgrade": (
                "cse_client.cli.commands.pool",
                "Replace the workers of a pool by new ones of another template.",
            ),
        },
    ),
    "system": (
        "Show versions, engine and session; manage the CSE server.",
        {
            "config": ("cse_client.cli.commands.system", "Show the CSE server's configuration."),
            "disable": (
                "cse_client.cli.commands.system",
                "Disable the CSE server, so that it rejects requests.",
            ),
            "enable": (
                "cse_client.cli.commands.system",
                "Enable the CSE server, so that it accepts requests.",
            ),
            "info": (
                "cse_client.cli.commands.system",
                "Show the version, the engine in use, VCD and the session.",
            ),
            "stop": ("cse_client.cli.commands.system", "Stop the CSE server."),
        },
    ),
    "template": (
        "Build, list, check and delete VM templates for nodes.",
        {
            "build": (
                "cse_client.cli.commands.template_build",
                "Build a node template from a plain Ubuntu template, or resume a build.",
            ),
            "check": (
                "cse_client.cli.commands.template_check",
                "Check whether nodes can be made from a template.",
            ),
            "delete": (
                "cse_client.cli.commands.template_one",
                "Delete a template, or what an unfinished build of it left.",
            ),
            "info": ("cse_client.cli.commands.template_one", "Show a template."),
            "list": (
                "cse_client.cli.commands.template",
                "List the templates available for nodes.",
            ),
            "register": (
                "cse_client.cli.commands.template",
                "Register a prepared VM template for use as nodes.",
            ),
            "reload": (
                "cse_client.cli.commands.template",
                "Reload the CSE server's templates.",
            ),
            "upload": (
                "cse_client.cli.commands.template_upload",
                "Upload an OVA file to a catalog.",
            ),
        },
    ),
}

COMMANDS: Mapping[str, tuple[str, str]] = {
    "completion": (
        "cse_client.cli.commands.completion",
        "Print a script with which a shell completes commands, options and names.",
    ),
    "doctor": (
        "cse_client.cli.commands.doctor",
        "Check the installation, the session and the cloud.",
    ),
    "login": ("cse_client.cli.commands.login", "Log in to VMware Cloud Director."),
    "logout": ("cse_client.cli.commands.login", "Log out, and remove what login stored."),
    "version": ("cse_client.cli.commands.system", "Show the version of this client."),
}

#: Commands that older clients had and this one only refuses: their names are in no help.
FORMER: Mapping[str, tuple[str, str]] = {
    "pks": ("cse_client.cli.commands.pks", "Enterprise PKS is not supported."),
}
