"""Certificates as kubeadm makes them."""

from __future__ import annotations

from datetime import datetime, timezone

from cryptography import x509

from cse_client.guest.pki import mint_pki
from cse_client.simulator.guest.certs import load_pair, new_authority, new_leaf


def test_a_certificate_names_the_key_of_an_authority_that_has_an_identifier() -> None:
    now = datetime.now(timezone.utc)
    minted = mint_pki("demo")
    ours = load_pair(minted.ca_cert, minted.ca_key)
    own = ours.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    leaf = new_leaf(ours, "kube-apiserver", now, server=True).certificate
    named = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == own.digest
    bare = new_leaf(new_authority("front-proxy-ca", now), "front-proxy-client", now).certificate
    assert x509.AuthorityKeyIdentifier not in {type(one.value) for one in bare.extensions}
