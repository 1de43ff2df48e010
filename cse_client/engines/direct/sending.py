"""Sending etcd's snapshot out of a backup to a new control plane, whose script waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from cse_client import suggest
from cse_client.clock import Clock
from cse_client.engines.direct.backup_files import open_backup
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, admin_credentials
from cse_client.engines.direct.restorable import Restorable
from cse_client.errors import ClusterUnreachable, CseError, TimedOut
from cse_client.guest.pki import ClusterPKI, issue_client
from cse_client.kube.api import ClusterAPI
from cse_client.kube.credentials import Credentials
from cse_client.kube.kubeconfig.document import server_url
from cse_client.kube.upload import Upload
from cse_client.model import Event, EventKind, Progress, Session, Vm
from cse_client.reports import parse_guestinfo

__all__ = ["SnapshotSender", "has_failed"]

_SENDER_LIFETIME = timedelta(hours=12)
_UPLOAD_TIMEOUT = 30.0
_LOOK_AGAIN = 0.5
#: Seconds between two looks at whether there is anything to wait for.
_LOOK_EVERY = 15.0
#: Seconds after which the other side has verified what it got, and listens no longer.
_UNTIL_CHECKED = 5.0


@dataclass(frozen=True)
class SnapshotSender:
    """Sends the snapshot to the API's address `host`; `pki` is that of the cluster there.

    `look` reads the new control plane's VM, None where there is none.
    """

    backup: Restorable
    pki: ClusterPKI = field(repr=False)
    host: str
    session: Session
    look: Callable[[], Vm | None]
    clock: Clock
    deadline: float
    progress: Progress

    def send(self) -> None:
        """Send the snapshot until the new control plane has it: then it listens no longer.

        Raises:
            TimedOut: it has not asked for it in time.
        """
        upload = Upload(self._sender(), _UPLOAD_TIMEOUT)
        sent_before = False
        look_at = self.clock.monotonic()
        while True:
            sent = False
            try:
                sent = upload.attempt(self._pieces)
            except ClusterUnreachable as broken:
                self.progress(Event(EventKind.WARNING, f"Sending it again: {broken.clause}."))
            if not sent and sent_before:
                return
            sent_before = sent_before or sent
            # not each time: whoever listens takes one connection at a time
            if not sent and self.clock.monotonic() >= look_at:
                if self._has_spoken():
                    return
                look_at = self.clock.monotonic() + _LOOK_EVERY
            if self.clock.monotonic() >= self.deadline:
                raise TimedOut(
                    "The new control plane has not asked for the snapshot in time.",
                    hint=suggest.RESUME,
                )
            self.clock.sleep(_UNTIL_CHECKED if sent else _LOOK_AGAIN)

    def _pieces(self) -> Iterator[bytes]:
        with open_backup(self.backup.path, self.backup.key) as backup:
            yield from backup.snapshot()

    def _sender(self) -> Credentials:
        """Return the address and a certificate of the front proxy's CA, see `kube.upload`."""
        certificate = issue_client(
            (self.pki.front_proxy_cert, self.pki.front_proxy_key),
            common_name="cse:restore",
            organizations=[],
            lifetime=_SENDER_LIFETIME,
        )
        return Credentials(
            server_url(self.host), self.pki.ca_cert, certificate.cert, certificate.key
        )

    def _has_spoken(self) -> bool:
        """Return whether there is nothing to wait for: the API answers, or the guest has failed."""
        if has_failed(self.look()):
            return True
        access = admin_credentials(self.pki, self.host, self.session)
        try:
            with ClusterAPI(access, timeout=PROBE_TIMEOUT) as api:
                api.version()
        except CseError:
            return False
        return True


def has_failed(vm: Vm | None) -> bool:
    """Return whether the script of a node has reported a failure."""
    report = parse_guestinfo(vm.name, vm.guestinfo) if vm is not None and vm.guestinfo else None
    return report is not None and report.status == "failed"
