from __future__ import annotations

import ssl

import pytest

from cse_client.kube.tls import client_context


def test_certificates_without_key_identifiers_are_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On every Python what 3.13 sets by default; OpenSSL then wants RFC 5280's extensions."""
    made = ssl.create_default_context
    authority = ssl.DER_cert_to_PEM_cert(made().get_ca_certs(binary_form=True)[0])

    def as_in_3_13(*, cadata: str) -> ssl.SSLContext:
        context = made(cadata=cadata)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_in_3_13)
    context = client_context(authority.encode())
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
