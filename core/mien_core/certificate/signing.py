"""Issuing a certificate, and verifying one."""

import json
from importlib import metadata
from typing import Any, Final

from pydantic import ValidationError

from mien_core.canonical import canonical
from mien_core.certificate.document import SignedStatement, Software, Statement
from mien_core.certificate.keys import PublicKey, SigningKey
from mien_core.errors import Rejected
from mien_core.model.privacy import Person
from mien_core.rules.audit import hash_of

# actions of the audit log
REQUESTED: Final = "user.erasure_requested"
ERASED: Final = "user.erased"


def software() -> Software:
    """What this is."""
    return Software(version=metadata.version("mien"))


def signed(statement: Statement, key: SigningKey) -> str:
    """Sign a statement: RFC 8785, and one member more, the Ed25519 signature over all others."""
    said = statement.model_dump(mode="json", by_alias=True)
    signature = key.sign(canonical(said)).hex()
    return canonical({**said, "signature": signature}).decode()


def verified(text: str, key: PublicKey, person: Person | None = None) -> SignedStatement:
    """Read a certificate that is what it was when it was signed.

    Args:
        text: the certificate; spaces between its parts don't matter.
        key: the public key of who should have signed it.
        person: whom it should be about; None asks for nobody.

    Raises:
        Rejected: certificate_malformed, certificate_of_other_key, certificate_chain_cut, certificate_changed,
            certificate_of_other_user.
    """
    message, certificate = _read(text)
    if certificate.key_id != key.id:
        detail = f"It says that it was signed with the key {certificate.key_id}, and the one you gave is {key.id}."
        raise Rejected("certificate_of_other_key", detail)
    _check_chain(certificate)
    if not key.has_signed(message, bytes.fromhex(certificate.signature)):
        detail = "Something in it was changed after it had been signed, or somebody else has signed it."
        raise Rejected("certificate_changed", detail)
    if person is not None and certificate.subject != person.pseudonym:
        detail = f"It is genuine, and about {certificate.subject}; the user you named is {person.pseudonym}."
        raise Rejected("certificate_of_other_user", detail)
    return certificate


def _read(text: str) -> tuple[bytes, SignedStatement]:
    """Give what was signed, and what it says."""
    try:
        said = json.loads(text, object_pairs_hook=_members)
        certificate = SignedStatement.model_validate(said)
        return canonical({name: value for name, value in said.items() if name != "signature"}), certificate
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        detail = f"It is not of the form that a certificate has: {where}: {first['msg']}."
        raise Rejected("certificate_malformed", detail) from None
    except (ValueError, RecursionError) as error:
        raise Rejected("certificate_malformed", f"It is no JSON, or not wholly: {error}.") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice, so readers would differ on what it says")
    return members


def _check_chain(certificate: SignedStatement) -> None:
    """Let pass whose rows of the audit log are what their hashes say, and fit each other and the rest."""
    requested, erased = certificate.audit.requested, certificate.audit.erased
    for link in (requested, erased):
        if hash_of(bytes.fromhex(link.previous), link.said).hex() != link.hash:
            detail = f"The audit log's row {link.position} ({link.action}) doesn't have the hash that stands with it."
            raise Rejected("certificate_chain_cut", detail)
    follows = erased.position > requested.position and (
        erased.position > requested.position + 1 or erased.previous == requested.hash
    )
    fits = (
        (requested.action, erased.action) == (REQUESTED, ERASED)
        and requested.subject == erased.subject == certificate.subject
        and certificate.requested_at == requested.at
        and certificate.erased_at == erased.at
        and requested.at <= erased.at
    )
    if not (follows and fits):
        detail = (
            f"The audit log's rows {requested.position} and {erased.position} don't tell of one erasure of"
            f" {certificate.subject}, from its request to its end."
        )
        raise Rejected("certificate_chain_cut", detail)
