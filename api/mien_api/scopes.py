"""What a credential may be good for. This list is the only one: keys, issuers and routes are checked against it."""

from typing import Final, Literal, get_args

from mien_core.errors import Rejected
from mien_core.model.platform import Caller

# The five applications: a route of one of them asks for its name.
Application = Literal["glam", "skin", "cycle", "poster", "tryon"]
APPLICATIONS: Final[frozenset[str]] = frozenset(get_args(Application))

# What is about a tenant as a whole, and so given to API keys: its figures, its webhooks, its users' data as a whole.
TENANT_SCOPES: Final = frozenset({"usage", "webhooks", "users"})

# What is about the platform as a whole, whatever the tenant: of all credentials only those keys have it that were made
# for it. No issuer's users do, and `*` is all of a tenant's.
OPERATOR: Final = "operator"

ALL_SCOPES: Final = "*"
SCOPES: Final = APPLICATIONS | TENANT_SCOPES | {ALL_SCOPES, OPERATOR}
# What tokens may be good for.
TOKEN_SCOPES: Final = SCOPES - {OPERATOR}


def check_scopes(scopes: frozenset[str]) -> frozenset[str]:
    """Give the scopes back if all of them exist.

    Raises:
        Rejected: unknown_scope.
    """
    unknown = scopes - SCOPES
    if unknown:
        raise Rejected("unknown_scope", f"There is no scope {min(unknown)}; there are {sorted(SCOPES)}.")
    return scopes


def require_scope(caller: Caller, scope: str) -> None:
    """Let pass whose credential covers the scope.

    Raises:
        Rejected: scope_missing.
    """
    if not caller.scopes & ({scope} if scope == OPERATOR else {ALL_SCOPES, scope}):
        raise Rejected("scope_missing", f"The credential doesn't cover {scope}. Ask for one with that scope.")
