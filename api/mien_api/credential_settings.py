"""Whose tokens count, and which applications ask for no credential."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from mien_api.scopes import APPLICATIONS, TOKEN_SCOPES, Application

_NAME = r"^[^\x00-\x1f\x7f]+$"


def is_trustworthy(url: str) -> bool:
    """Whether nobody on the way can exchange what is fetched there: https, or http on this very machine."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_url(url: str) -> str:
    if not is_trustworthy(url) or urlsplit(url).fragment:
        raise PydanticCustomError("url_not_https", "must be an https URL (http only on this machine itself)")
    return url


Url = Annotated[str, AfterValidator(_checked_url)]
Tenant = Annotated[str, Field(min_length=1, max_length=255, pattern=_NAME)]


class IssuerSettings(BaseModel):
    """An OIDC issuer whose tokens count.

    url is what its tokens say in `iss`, to the letter. A token must be meant for one of the audiences (`aud`, or
    `client_id` where it has none). Its users belong to tenant, or to the tenant that the claim tenant_claim names, one
    of tenants if those are listed: without that list, the issuer is trusted with every tenant there is. jwks_url is
    found out from the issuer unless it is set. scopes is what its users may do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Url
    audiences: frozenset[Annotated[str, Field(min_length=1)]] = Field(min_length=1)
    tenant: Tenant | None = None
    tenant_claim: str | None = Field(default=None, min_length=1)
    tenants: frozenset[Tenant] | None = None
    jwks_url: Url | None = None
    scopes: frozenset[str] = APPLICATIONS

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tenant is None) == (self.tenant_claim is None):
            raise PydanticCustomError("tenant_unclear", "each issuer needs either tenant or tenant_claim")
        if self.scopes - TOKEN_SCOPES:
            raise PydanticCustomError(
                "unknown_scope", "there are only these scopes: {known}", {"known": sorted(TOKEN_SCOPES)}
            )
        return self


class CredentialSettings(BaseModel):
    """Credentials: issuers of tokens, and who may come without any.

    anonymous names the applications that ask for no credential, each with the tenant to which such callers belong. All
    that belongs to that tenant is then open to that application's callers, its users' things included, so it must be
    a tenant of its own: none that an issuer's users belong to.

    An issuer's keys are fetched anew every refresh_seconds. While the issuer is away, those that are known count for
    keep_seconds more. leeway_seconds is how far clocks may be apart.
    """

    model_config = ConfigDict(frozen=True)

    issuers: tuple[IssuerSettings, ...] = ()
    anonymous: Mapping[Application, Tenant] = {"tryon": "public"}
    refresh_seconds: float = Field(default=600.0, ge=1.0)
    keep_seconds: float = Field(default=24 * 3600.0, ge=0.0)
    leeway_seconds: float = Field(default=30.0, ge=0.0, le=300.0)

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        if len({issuer.url for issuer in self.issuers}) < len(self.issuers):
            raise PydanticCustomError("issuer_twice", "an issuer is listed twice")
        of_users = {issuer.tenant for issuer in self.issuers if issuer.tenant}
        of_users.update(*(issuer.tenants or () for issuer in self.issuers))
        if mixed := of_users & set(self.anonymous.values()):
            detail = "anonymous callers need a tenant of their own, and {mixed} has an issuer's users"
            raise PydanticCustomError("tenant_open", detail, {"mixed": ", ".join(sorted(mixed))})
        if self.keep_seconds < self.refresh_seconds:
            raise PydanticCustomError("keys_forgotten", "keep_seconds must not be less than refresh_seconds")
        return self
