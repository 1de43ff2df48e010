"""`vcd cse cluster credential`: what kubectl runs for a kubeconfig of `config --exec`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cse_client.cli.options import DURATION, org_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from pathlib import Path

    from cse_client.model.grants import KubeconfigSpec

__all__ = ["credential_command"]

_LIFETIME = 3600.0
#: Seconds that a kept credential must still be valid for.
_LEAST = 120.0


@click.command("credential")
@click.argument("name")
@click.option(
    "--user",
    default="",
    metavar="NAME",
    help="Issue the credential for this user, without administrator rights.",
)
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="Group of the user. Can be repeated."
)
@click.option(
    "--ttl",
    type=DURATION,
    default=_LIFETIME,
    metavar="TIME",
    show_default=False,
    help="Validity, for example 15m or 8h. Default: 1h.",
)
@click.option(
    "--ca", default="", metavar="SHA256", help="Fingerprint that the cluster's CA must have."
)
@vdc_option
@org_option
@command
def credential_command(
    run: Run,
    name: str,
    user: str,
    groups: tuple[str, ...],
    ttl: float,
    ca: str,
    vdc: str,
    org: str,
) -> None:
    """Print a short-lived credential for kubectl.

    kubectl runs this command for kubeconfigs that were saved with `cluster config --save --exec`.
    The credential is kept on this machine, readable only by you, until it expires.
    """
    import json

    from cse_client.cli.validation import check_existing_name, raise_all
    from cse_client.engines.kubeconfigs import check_spec
    from cse_client.model.grants import KubeconfigSpec

    check_existing_name(name)
    spec = KubeconfigSpec(user=user, groups=tuple(dict.fromkeys(groups)), ttl=ttl)
    raise_all(check_spec(spec))
    ref = ClusterRef(name, vdc, org)
    path = _kept_in(ref, spec, ca)
    document = _kept(path)
    if document is None:
        document = _minted(run, ref, spec, ca)
        _keep(path, document)
    run.console.text(f"{json.dumps(document)}\n")


def _kept_in(ref: ClusterRef, spec: KubeconfigSpec, ca: str) -> Path:
    """Return the file for a credential: another one for each session, cluster and person."""
    import hashlib
    import json

    from cse_client.cli.profile import read_session
    from cse_client.state import state_folder

    session, _warn = read_session()
    who = [session.host, session.login_org or session.org, session.user, session.org, session.vdc]
    what = [ref.name, ref.vdc, ref.org, spec.user, *spec.groups, str(spec.ttl), ca]
    digest = hashlib.sha256(json.dumps([who, what]).encode()).hexdigest()
    return state_folder() / "credentials" / f"{digest[:32]}.json"


def _kept(path: Path) -> Any:
    """Return the credential in a file; None if it is missing, not ours or soon expires."""
    import json
    import os
    from datetime import datetime, timedelta, timezone

    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or status.st_mode & 0o077:
                return None
            found = json.load(file)
        text = str(found["status"]["expirationTimestamp"]).replace("Z", "+00:00")
        left = datetime.fromisoformat(text) - datetime.now(timezone.utc)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if left > timedelta(seconds=_LEAST) else None


def _keep(path: Path, document: Any) -> None:
    """Write a credential for the next time, and remove those that have expired.

    A disk without room only costs time.
    """
    import contextlib
    import json

    from cse_client.state import write_private

    with contextlib.suppress(OSError):
        for other in path.parent.glob("*.json"):
            if _kept(other) is None:
                other.unlink(missing_ok=True)
        write_private(path, json.dumps(document))


def _minted(run: Run, ref: ClusterRef, spec: KubeconfigSpec, ca: str) -> dict[str, Any]:
    """Return a new credential.

    Raises:
        Refused: the cluster has another CA than the kubeconfig was saved with.
    """
    from cryptography import x509

    from cse_client import suggest
    from cse_client.errors import Refused
    from cse_client.kube.kubeconfig.document import EXEC_API, credential_of

    certificate, key, found = credential_of(run.engine().kubeconfig(ref, spec=spec))
    if ca and ca != found:
        raise Refused(
            f"Cluster {ref.name} has another CA than the one in your kubeconfig.",
            hint="If it was created again, save it again:"
            f" {suggest.cse('cluster config', ref.name, save=True, exec=True)}",
        )
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    end = parsed.not_valid_after_utc
    return {
        "apiVersion": EXEC_API,
        "kind": "ExecCredential",
        "status": {
            "clientCertificateData": certificate,
            "clientKeyData": key,
            "expirationTimestamp": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        },
    }
