"""Keys, certificates and kubeconfigs of a control plane."""

import base64
import json
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from mien_local.cluster import kubeconfig
from mien_local.cluster.pki import Pki

CLIENTS = (("admin", "mien:admin", "system:masters"), ("scheduler", "system:kube-scheduler", ""))


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    pki = Pki(tmp_path / "pki", "10.96.0.1")
    pki.make(CLIENTS)
    return pki


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_every_certificate_is_the_authoritys(pki: Pki) -> None:
    """Signed by it, with the key beside it, and valid already for a clock that is behind."""
    authority = read(pki.authority)
    for pair in (pki.server, pki.client("admin"), pki.client("scheduler")):
        certificate = read(pair.certificate)
        certificate.verify_directly_issued_by(authority)
        key = load_pem_private_key(pair.key.read_bytes(), None)
        assert key.public_key() == certificate.public_key()
        assert certificate.not_valid_before_utc <= authority.not_valid_before_utc
        ssl.create_default_context().load_cert_chain(pair.certificate, pair.key)


def test_a_client_is_who_its_certificate_says(pki: Pki) -> None:
    """Kubernetes reads the user from the common name and the group from the organisation."""
    assert read(pki.client("admin").certificate).subject.rfc4514_string() == "CN=mien:admin,O=system:masters"
    assert read(pki.client("scheduler").certificate).subject.rfc4514_string() == "CN=system:kube-scheduler"


def test_the_servers_are_called_by_their_addresses(pki: Pki) -> None:
    """The loopback address, and the one and the name under which pods know the API."""
    names = read(pki.server.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name) for name in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "10.96.0.1"}
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_tokens_are_checked_by_the_key_that_signs_them(pki: Pki) -> None:
    """The public file is the private one's other half."""
    public = load_pem_public_key(pki.tokens.certificate.read_bytes())
    assert load_pem_private_key(pki.tokens.key.read_bytes(), None).public_key() == public


def test_making_keys_again_changes_none(pki: Pki) -> None:
    """A restarted cluster believes the tokens and kubeconfigs that it gave before; a new client is added."""
    before = {path: path.read_bytes() for path in pki.authority.parent.iterdir()}
    pki.make((*CLIENTS, ("new", "new", "")))
    assert {path: path.read_bytes() for path in before} == before
    assert pki.client("new").certificate.exists()


def test_only_their_owner_reads_keys(pki: Pki) -> None:
    """Whoever else works on this machine has no cluster of ours."""
    for path in (pki.authority.parent, *pki.authority.parent.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_kubeconfig_stands_alone(pki: Pki) -> None:
    """What it needs is in it, and no path: it may be passed on."""
    admin = pki.client("admin")
    text = kubeconfig.by_certificate("https://127.0.0.1:1", pki.authority, admin)
    assert str(pki.authority.parent) not in text
    config = json.loads(text)
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    assert base64.b64decode(user["client-key-data"]) == admin.key.read_bytes()
    assert base64.b64decode(cluster["certificate-authority-data"]) == pki.authority.read_bytes()
    assert config["contexts"][0]["name"] == config["current-context"]


def test_a_service_accounts_kubeconfig_asks_in_its_namespace(pki: Pki) -> None:
    """As a pod does; it shows the token and nothing of the administrator's."""
    config = json.loads(kubeconfig.by_token("https://127.0.0.1:1", pki.authority, "t0ken", "mien"))
    assert config["users"][0]["user"] == {"token": "t0ken"}
    assert config["contexts"][0]["context"]["namespace"] == "mien"
