"""What it costs to find out who calls: a token's signature, an API key's row. In turns, on one real Postgres.

`python -m bench.credentials` starts a Postgres of its own.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr

from bench.figures import percentile, report
from bench.own_postgres import own_postgres
from mien_api import keys
from mien_api.authentication import Authentication
from mien_api.credential_settings import CredentialSettings, IssuerSettings
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.settings import PostgresSettings
from mien_local.issuer.keys import new_key
from mien_local.issuer.server import IssuerServer
from mien_local.issuer.tokens import AUDIENCE, TENANT_CLAIM, new_token

ROUNDS: Final = 20
IN_A_ROUND: Final = 200

# a hundredth of what a short request may take
TOKEN_LIMIT_US: Final = 500.0


def run(environment: Mapping[str, str]) -> None:
    """Print the figures, on the Postgres of this environment."""
    tokens, found = asyncio.run(_measured(environment["MIEN_POSTGRES__URL"]))
    token, key = percentile(tokens, 50), percentile(found, 50)
    report("credential_token_p50", token, "us", TOKEN_LIMIT_US, p99=round(percentile(tokens, 99), 1))
    report("credential_token_to_key", token / key, "", 1.0, key_p50_us=round(key, 1))


async def _measured(url: str) -> tuple[list[float], list[float]]:
    """Microseconds of each look at a token and at a key."""
    key = new_key()
    with IssuerServer([key]) as server:
        issuer = IssuerSettings(url=server.url, audiences=frozenset({AUDIENCE}), tenant_claim=TENANT_CLAIM)
        async with PostgresDatabase(PostgresSettings(url=SecretStr(url))) as database:
            _, secret = await keys.create(database, "bench", "bench", frozenset({"*"}))
            token = new_token(key, server.url, "anna", "bench")
            authentication = Authentication(database, CredentialSettings(issuers=(issuer,)))
            async with authentication.ready():
                taken: dict[str, list[float]] = {token: [], secret: []}
                for _ in range(ROUNDS):
                    for credential, microseconds in taken.items():
                        # the first of a round warms up
                        await authentication.caller(credential)
                        for _ in range(IN_A_ROUND):
                            began = time.perf_counter()
                            await authentication.caller(credential)
                            microseconds.append((time.perf_counter() - began) * 1e6)
    return taken[token], taken[secret]


if __name__ == "__main__":
    with own_postgres() as _settings:
        run(_settings)
