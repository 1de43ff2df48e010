"""Certificates without key identifiers, which Python 3.13 refuses by default."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.tls import client_context
from tests.support.kube_stub import StubAPI

PLAIN = ssl.create_default_context


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python makes contexts as 3.13 does."""

    def as_in_3_13(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = PLAIN(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_in_3_13)


@pytest.mark.usefixtures("strict")
def test_strangers_refuse_the_server_of_these_tests(api: StubAPI, cluster_pki: ClusterPKI) -> None:
    context = ssl.create_default_context(cadata=cluster_pki.ca_cert.decode())
    with (
        socket.create_connection((api.address, api.port)) as raw,
        pytest.raises(ssl.SSLCertVerificationError, match="Authority Key Identifier"),
    ):
        context.wrap_socket(raw, server_hostname=api.address)


@pytest.mark.usefixtures("strict")
def test_the_api_is_asked(api: StubAPI) -> None:
    api.answers["/version"] = (200, {"gitVersion": "v1.18.6"})
    with ClusterAPI(api.kubeconfig(), 5, environ={}) as cluster:
        assert cluster.version() == "v1.18.6"


@pytest.mark.usefixtures("strict")
def test_all_else_is_verified(cluster_pki: ClusterPKI) -> None:
    context = client_context(cluster_pki.ca_cert)
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
