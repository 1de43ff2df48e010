"""A real API server with its etcd, and nothing else of a cluster.

Up in some ten seconds, without root or namespaces. What it lacks: a controller manager (so no
service accounts in new namespaces, no ReplicaSets, no states of disruption budgets, no garbage
collection, namespaces that stay Terminating), a scheduler, kubelets, and the aggregation of other
servers. Its flags are those that kubeadm writes, where they decide what is answered.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cse_client.simulator.guest.certs import new_key_pem
from tests.real.build.components import ETCD, kubernetes
from tests.support.running_kube import HOST, Authority

__all__ = ["missing_program", "real_api"]

_SECONDS = 180.0


def _programs(folder: Path, release: str) -> tuple[Path, Path]:
    return folder / ETCD.name / "etcd", folder / kubernetes(release).name / "kube-apiserver"


def missing_program(folder: Path, release: str) -> str:
    """Return the program that is not below `folder`, '' when all are there."""
    return next((str(one) for one in _programs(folder, release) if not one.is_file()), "")


@contextmanager
def real_api(folder: Path, release: str, work: Path, authority: Authority) -> Iterator[int]:
    """Run an API server of a release on the loopback interface; yields its port.

    Args:
        folder: the folder with one folder for each built component.
        work: an empty folder for keys, data and logs.
        authority: signs the server's certificate, and those of its clients.
    """
    etcd, apiserver = _programs(folder, release)
    client, peer, port = _free_ports(3)
    store = f"http://{HOST}:{client}"
    files = _keys(work, authority)
    with (
        _running(
            work / "etcd.log",
            *(str(etcd), "--data-dir", str(work / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", store, "--advertise-client-urls", store),
            *("--listen-peer-urls", f"http://{HOST}:{peer}", "--log-level", "error"),
            *("--initial-advertise-peer-urls", f"http://{HOST}:{peer}"),
            *("--initial-cluster", f"default=http://{HOST}:{peer}"),
        ),
        _running(
            work / "apiserver.log",
            str(apiserver),
            f"--etcd-servers={store}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            f"--secure-port={port}",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={work}",
            f"--tls-cert-file={files['server.crt']}",
            f"--tls-private-key-file={files['server.key']}",
            f"--client-ca-file={files['ca.crt']}",
            f"--service-account-key-file={files['tokens.key']}",
            f"--service-account-signing-key-file={files['tokens.key']}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--service-cluster-ip-range=10.96.0.0/12",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--enable-bootstrap-token-auth=true",
            "--allow-privileged=true",
        ) as process,
    ):
        _wait(port, authority, process, work / "apiserver.log")
        yield port


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _keys(work: Path, authority: Authority) -> dict[str, Path]:
    certificate, key = authority.issue("kube-apiserver", server=True)
    found = {}
    for name, content in (
        ("ca.crt", authority.pem),
        ("server.crt", certificate),
        ("server.key", key),
        ("tokens.key", new_key_pem()),
    ):
        found[name] = work / name
        found[name].write_bytes(content)
        found[name].chmod(0o600)
    return found


@contextmanager
def _running(log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, cwd=log.parent)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(port: int, authority: Authority, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the API server is ready, its own namespaces and roles included."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            with opener.open(f"https://{HOST}:{port}/readyz", timeout=10) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        assert process.poll() is None, f"the API server has ended:\n{end}"
        assert time.monotonic() < deadline, f"the API server is not ready:\n{end}"
        time.sleep(0.3)
