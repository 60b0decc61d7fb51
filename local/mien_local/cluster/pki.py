"""The certificates and keys of a control plane: one authority, and a certificate a program."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mien_local.home import write_private
from mien_local.ports import HOST

_LIFE = timedelta(days=365)
# clocks are corrected while a cluster starts
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True)
class Pair:
    """The files of a certificate and of its key."""

    certificate: Path
    key: Path

    @classmethod
    def named(cls, folder: Path, name: str) -> "Pair":
        """The files that belong to a name, whether they exist or not."""
        return cls(folder / f"{name}.crt", folder / f"{name}.key")


class Pki:
    """The keys of one control plane, in one folder; what is there already stays as it is.

    Args:
        folder: of the files, which only their owner can read.
        service: the address of the service `kubernetes` inside of the cluster.
    """

    def __init__(self, folder: Path, service: str) -> None:
        self._folder = folder
        self._service = service
        self._authority = Pair.named(folder, "ca")

    @property
    def authority(self) -> Path:
        """The certificate by which the others are believed."""
        return self._authority.certificate

    @property
    def tokens(self) -> Pair:
        """The key that signs ServiceAccounts' tokens, and the public half by which they are checked."""
        return Pair(self._folder / "tokens.pub", self._folder / "tokens.key")

    def client(self, name: str) -> Pair:
        """The certificate with which a client shows who it is; make() made it."""
        return Pair.named(self._folder, f"client-{name}")

    @property
    def server(self) -> Pair:
        """The certificate that all servers of the control plane show; they listen on the loopback address alone."""
        return Pair.named(self._folder, "server")

    def make(self, clients: Sequence[tuple[str, str, str]]) -> None:
        """Make whatever is not there yet.

        Args:
            clients: name, common name (the user, for Kubernetes) and organisation (the group) of each.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._authority.certificate.exists():
            self._make_authority()
        if not self.tokens.key.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write_private(self.tokens.certificate, public.decode())
            _write_key(self.tokens.key, key)
        if not self.server.certificate.exists():
            self._issue(self.server, "mien", "", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        for name, user, group in clients:
            if not self.client(name).certificate.exists():
                self._issue(self.client(name), user, group, [ExtendedKeyUsageOID.CLIENT_AUTH])

    def _make_authority(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("mien local cluster", "")
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_key(self._authority.key, key)
        write_private(self._authority.certificate, certificate.public_bytes(Encoding.PEM).decode())

    def _issue(self, pair: Pair, user: str, group: str, purposes: list[x509.ObjectIdentifier]) -> None:
        issuer = x509.load_pem_x509_certificate(self._authority.certificate.read_bytes())
        issuer_key = load_pem_private_key(self._authority.key.read_bytes(), None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - as _make_authority made it
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(user, group), issuer.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            # Python's TLS refuses, since 3.13, what doesn't name its issuer's key
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if ExtendedKeyUsageOID.SERVER_AUTH in purposes:
            addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in (HOST, self._service)]
            names = [x509.DNSName(each) for each in ("localhost", "kubernetes.default.svc")]
            builder = builder.add_extension(x509.SubjectAlternativeName([*addresses, *names]), critical=False)
        _write_key(pair.key, key)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        write_private(pair.certificate, certificate.public_bytes(Encoding.PEM).decode())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - _BACKDATED, now + _LIFE)


def _name(user: str, group: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(attributes)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    # PKCS8, not SEC1: all of Go, OpenSSL and Python read it
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
