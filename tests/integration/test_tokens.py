"""Tokens against a real issuer over HTTP: what opens, what doesn't, keys that rotate, an issuer that is away."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from mien_api.authentication import USERS_REMEMBERED, Authentication
from mien_api.credential_settings import CredentialSettings, IssuerSettings
from mien_api.issuer_http import MAX_BYTES, get_json
from mien_core.adapters.memory.database import MemoryDatabase
from mien_core.errors import Rejected, Unavailable
from mien_core.model.platform import Caller
from mien_local.issuer.keys import SigningKey, kept_key, new_key
from mien_local.issuer.server import DISCOVERY, KEYS, IssuerServer
from mien_local.issuer.tokens import AUDIENCE, HOUR, TENANT_CLAIM, new_token
from tests.unit.api.conftest import Platform


def settings_of(issuer: IssuerServer, **fields: Any) -> CredentialSettings:
    said = {"url": issuer.url, "audiences": {AUDIENCE}, "tenant_claim": TENANT_CLAIM, **fields}
    return CredentialSettings(issuers=(IssuerSettings(**said),))


@asynccontextmanager
async def authenticating(settings: CredentialSettings) -> AsyncIterator[Authentication]:
    authentication = Authentication(MemoryDatabase(), settings)
    async with authentication.ready():
        yield authentication


@pytest.fixture
async def authentication(issuer: IssuerServer) -> AsyncIterator[Authentication]:
    async with authenticating(settings_of(issuer)) as authentication:
        yield authentication


def signed(key: SigningKey, issuer: IssuerServer, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token with another header or other claims than the issuer's own."""
    token = new_token(key, issuer.url, "anna", "acme", claims.pop("seconds", HOUR))
    usual = jwt.decode(token, options={"verify_signature": False})
    parts = ({"kid": key.kid, "alg": "RS256", **(header or {})}, {**usual, **claims})
    encoded = [_encoded({name: value for name, value in part.items() if value is not None}) for part in parts]
    message = ".".join(encoded)
    signature = _RS256.sign(message.encode(), key.private)
    return f"{message}.{_base64url(signature)}"


_RS256 = jwt.get_algorithm_by_name("RS256")


def _encoded(part: Any) -> str:
    return _base64url(json.dumps(part).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_a_token_is_its_user(authentication: Authentication, issuer: IssuerServer, key: SigningKey) -> None:
    """As Bearer and raw, with the tenant that it names and the issuer's scopes; all applications, nothing more."""
    token = new_token(key, issuer.url, "anna", "acme")
    caller = Caller("acme", "anna", frozenset({"glam", "skin", "cycle", "poster", "tryon"}))
    for authorization in (f"Bearer {token}", f"bearer  {token}", token):
        assert await authentication.caller(authorization) == caller


@pytest.mark.parametrize(
    "claims",
    [
        {"client_id": None, "aud": AUDIENCE, "token_use": "id"},
        {"client_id": "another", "aud": ["somebody", AUDIENCE]},
        {"token_use": None},
        {"seconds": -20},
        {"iat": None},
        {"exp": 4e9 + 0.5},
    ],
)
async def test_what_issuers_say_in_other_words_counts(
    authentication: Authentication, issuer: IssuerServer, key: SigningKey, claims: dict[str, Any]
) -> None:
    """ID tokens, an audience among several, no token_use, times as fractions, clocks that are 20 seconds apart."""
    assert (await authentication.caller(signed(key, issuer, **claims))).user_id == "anna"
    for kind in ("JWT", "at+jwt", "application/at+jwt"):
        assert (await authentication.caller(signed(key, issuer, {"typ": kind}, **claims))).user_id == "anna"


@pytest.mark.parametrize(
    "claims",
    [
        {"seconds": -HOUR},
        {"exp": None},
        {"exp": "4102444800"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": {}},
        {"exp": 10**400},
        {"nbf": 4e9},
        {"iat": 4e9},
        {"nbf": "soon"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"iss": ["a"]},
        {"iss": 7},
        {"client_id": "another"},
        {"client_id": None},
        {"client_id": None, "aud": "another"},
        {"client_id": None, "aud": ["another", 7]},
        {"aud": "another"},
        {"aud": {}},
        {"aud": []},
        {"token_use": "refresh"},
        {"token_use": []},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\x00b"},
        {"sub": "x" * 256},
        {TENANT_CLAIM: None},
        {TENANT_CLAIM: ""},
        {TENANT_CLAIM: ["acme"]},
    ],
)
async def test_claims_that_do_not_hold_open_nothing(
    authentication: Authentication, issuer: IssuerServer, key: SigningKey, claims: dict[str, Any]
) -> None:
    """Signed by the right key and still refused: expired, early, for others, without a user, or of wrong types."""
    with pytest.raises(Rejected, match="credential_invalid"):
        await authentication.caller(signed(key, issuer, **claims))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"alg": "ES256"},
        {"alg": None},
        {"alg": ["RS256"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": True},
        {"crit": []},
        {"b64": False},
        {"typ": "logout+jwt"},
        {"typ": "secevent+jwt"},
        {"typ": 7},
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"kid": ["a"]},
        {"kid": "unknown"},
    ],
)
async def test_headers_that_are_not_ours_open_nothing(
    authentication: Authentication, issuer: IssuerServer, key: SigningKey, header: dict[str, Any]
) -> None:
    """Another algorithm, extensions, another type, no key or an unknown one."""
    with pytest.raises(Rejected, match="credential_invalid"):
        await authentication.caller(signed(key, issuer, header))


async def test_forged_tokens_open_nothing(
    authentication: Authentication, issuer: IssuerServer, key: SigningKey, other_key: SigningKey
) -> None:
    """Another key under the known id, no signature, the public key as a secret, a signature for other claims."""
    token = new_token(key, issuer.url, "anna", "acme")
    message, _, signature = token.rpartition(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    public = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    symmetric = f"{_encoded({'alg': 'HS256', 'kid': key.kid})}.{_encoded(claims)}"
    forged = [
        jwt.encode(claims, other_key.private, "RS256", {"kid": key.kid}),
        jwt.encode(claims, other_key.private, "RS256", {"kid": key.kid, "jwk": dict(other_key.published)}),
        f"{message}.{_base64url(b'')}",
        f"{message}.AAAA",
        f"{message}.{signature[:-4]}",
        f"{message}.{signature}=",
        f"{message}.{signature}.",
        f"{_encoded({'alg': 'none', 'kid': key.kid})}.{_encoded(claims)}.",
        f"{_encoded({'alg': 'none', 'kid': key.kid})}.{_encoded(claims)}.AAAA",
        f"{symmetric}.{_base64url(hmac.digest(public, symmetric.encode(), hashlib.sha256))}",
        f"{message.partition('.')[0]}.{_encoded({**claims, 'sub': 'bea'})}.{signature}",
        f"{_base64url(b'{' * 3000)}.{_encoded(claims)}.{signature}",
        f"{_base64url(b'[' * 3000)}.{_encoded(claims)}.{signature}",
        f"{message.partition('.')[0]}.{_base64url(b'[' * 3000)}.{signature}",
        f"{message.partition('.')[0]}.{_base64url(b'7')}.{signature}",
        f"{_encoded(['RS256'])}.{_encoded(claims)}.{signature}",
        f"{_base64url(bytes(range(128, 256)))}.{_encoded(claims)}.{signature}",
        "a.b.c",
        "..",
        "ä.ö.ü",
        new_token(key, issuer.url, "anna", "acme", more="x" * 8192),
    ]
    for each in forged:
        with pytest.raises(Rejected, match="credential_invalid"):
            await authentication.caller(each)
    assert (await authentication.caller(token)).user_id == "anna"


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
async def test_a_weak_key_signs_nothing(key: SigningKey) -> None:
    """A key of 1,024 bits opens nothing, though its issuer publishes it."""
    weak = new_key(1024)
    with IssuerServer([key, weak]) as issuer:
        async with authenticating(settings_of(issuer)) as authentication:
            assert await authentication.caller(new_token(key, issuer.url, "anna", "acme"))
            with pytest.raises(Rejected, match="credential_invalid"):
                await authentication.caller(signed(weak, issuer))


async def test_a_tenant_that_is_not_the_issuers_opens_nothing(issuer: IssuerServer, key: SigningKey) -> None:
    """An issuer names the tenants that the settings give it and no others; one with a tenant of its own, that one."""
    async with authenticating(settings_of(issuer, tenants={"acme"})) as authentication:
        assert (await authentication.caller(new_token(key, issuer.url, "anna", "acme"))).tenant == "acme"
        with pytest.raises(Rejected, match="credential_invalid"):
            await authentication.caller(new_token(key, issuer.url, "anna", "other"))
    fixed = settings_of(issuer, tenant_claim=None, tenant="fixed", scopes={"skin"})
    async with authenticating(fixed) as authentication:
        caller = await authentication.caller(new_token(key, issuer.url, "anna", "acme"))
    assert caller == Caller("fixed", "anna", frozenset({"skin"}))


async def test_a_token_of_one_issuer_is_none_of_anothers(
    issuer: IssuerServer, key: SigningKey, other_key: SigningKey
) -> None:
    """Each issuer's keys count for its own tokens alone, whatever ids they have."""
    with IssuerServer([other_key]) as second:
        both = (*settings_of(issuer).issuers, *settings_of(second, tenant_claim=None, tenant="second").issuers)
        async with authenticating(CredentialSettings(issuers=both)) as authentication:
            assert (await authentication.caller(new_token(key, issuer.url, "anna", "acme"))).tenant == "acme"
            assert (await authentication.caller(new_token(other_key, second.url, "anna", "acme"))).tenant == "second"
            with pytest.raises(Rejected, match="credential_invalid"):
                await authentication.caller(new_token(other_key, issuer.url, "anna", "acme"))


async def test_a_hundred_first_tokens_are_one_look_at_the_issuer(key: SigningKey) -> None:
    """Who comes while keys are being fetched waits for the same fetch."""
    with IssuerServer([key]) as issuer:
        async with authenticating(settings_of(issuer)) as authentication:
            token = new_token(key, issuer.url, "anna", "acme")
            callers = await asyncio.gather(*(authentication.caller(token) for _ in range(100)))
        assert {caller.user_id for caller in callers} == {"anna"}
        assert issuer.requests == {DISCOVERY: 1, KEYS: 1}


async def test_a_rotated_key_is_found_and_a_storm_is_not_passed_on(key: SigningKey, other_key: SigningKey) -> None:
    """The first token of a new key opens; a thousand unknown ones make one request to the issuer."""
    now = [1000.0]
    with IssuerServer([key]) as issuer:
        authentication = Authentication(MemoryDatabase(), settings_of(issuer), lambda: now[0])
        await authentication.caller(new_token(key, issuer.url, "anna", "acme"))
        issuer.keys = (other_key,)
        now[0] += 11
        await authentication.caller(new_token(other_key, issuer.url, "anna", "acme"))
        with pytest.raises(Rejected, match="credential_invalid"):
            await authentication.caller(new_token(key, issuer.url, "anna", "acme"))
        assert issuer.requests[KEYS] == 2
        now[0] += 11
        storm = [signed(key, issuer, {"kid": f"made-up-{number}"}) for number in range(200)]
        answers = await asyncio.gather(*(authentication.caller(token) for token in storm), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Rejected}
        assert issuer.requests[KEYS] == 3


async def test_a_token_that_was_seen_goes_with_its_key(key: SigningKey, other_key: SigningKey) -> None:
    """A signature isn't computed again, but whether its key still counts is asked each time."""
    now = [1000.0]
    with IssuerServer([key]) as issuer:
        authentication = Authentication(MemoryDatabase(), settings_of(issuer), lambda: now[0])
        token = new_token(key, issuer.url, "anna", "acme")
        for _ in range(2):
            assert (await authentication.caller(token)).user_id == "anna"
        issuer.keys = (other_key,)
        now[0] += 11
        await authentication.caller(new_token(other_key, issuer.url, "bea", "acme"))
        with pytest.raises(Rejected, match="has no such key"):
            await authentication.caller(token)


async def test_a_key_of_the_same_name_opens_nothing_that_another_signed(key: SigningKey, other_key: SigningKey) -> None:
    """An issuer that gives a new key an old one's id takes back what the old one signed, seen or not."""

    class Renamed(SigningKey):
        @property
        def kid(self) -> str:
            return key.kid

    now = [1000.0]
    with IssuerServer([key]) as issuer:
        authentication = Authentication(MemoryDatabase(), settings_of(issuer), lambda: now[0])
        token = new_token(key, issuer.url, "anna", "acme")
        await authentication.caller(token)
        issuer.keys = (Renamed(other_key.private),)
        now[0] += 11
        with pytest.raises(Rejected, match="has no such key"):
            await authentication.caller(signed(other_key, issuer, {"kid": "unknown, so that all are fetched"}))
        with pytest.raises(Rejected, match="its signature is wrong"):
            await authentication.caller(token)


async def test_a_token_that_was_seen_ends_at_its_time(issuer: IssuerServer, key: SigningKey) -> None:
    """What a token says of times is compared with the clock at each request."""
    strict = settings_of(issuer).model_copy(update={"leeway_seconds": 0})
    authentication = Authentication(MemoryDatabase(), strict)
    token = new_token(key, issuer.url, "anna", "acme", seconds=2)
    assert (await authentication.caller(token)).user_id == "anna"
    async with asyncio.timeout(60):
        assert "it has expired" in await _refusal(authentication, token)


async def _refusal(authentication: Authentication, token: str) -> str:
    """Ask until the token is refused, and say why it is."""
    while True:
        try:
            await authentication.caller(token)
        except Rejected as error:
            return error.detail
        await asyncio.sleep(0.05)


async def test_an_issuer_without_discovery_is_asked_where_keys_usually_are(key: SigningKey) -> None:
    """A missing discovery document leads to the usual place; a setting leads anywhere."""

    class Plain(IssuerServer):
        def answer(self, path: str) -> Any:
            return None if path == DISCOVERY else super().answer(path)

    with Plain([key]) as issuer:
        for settings in (settings_of(issuer), settings_of(issuer, jwks_url=issuer.url + KEYS)):
            async with authenticating(settings) as authentication:
                assert await authentication.caller(new_token(key, issuer.url, "anna", "acme"))


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://elsewhere.example", "jwks_uri": "{url}" + KEYS},
        {"issuer": "{url}", "jwks_uri": "http://keys.example/jwks.json"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": "http://user:password@{host}" + KEYS},
        {"issuer": "{url}", "jwks_uri": 7},
        {"issuer": "{url}"},
    ],
)
async def test_a_discovery_document_that_is_not_to_be_trusted_leads_nowhere(
    key: SigningKey, document: dict[str, Any]
) -> None:
    """It must name its own issuer, and keys that nobody on the way can exchange."""

    class Misleading(IssuerServer):
        def answer(self, path: str) -> Any:
            if path != DISCOVERY:
                return super().answer(path)
            return {
                name: value.format(url=self.url, host=self.url.removeprefix("http://"))
                if isinstance(value, str)
                else value
                for name, value in document.items()
            }

    with Misleading([key]) as issuer:
        async with authenticating(settings_of(issuer)) as authentication:
            with pytest.raises(Unavailable, match="issuer_unavailable"):
                await authentication.caller(new_token(key, issuer.url, "anna", "acme"))


async def test_an_issuer_that_is_away_is_503_and_never_500(key: SigningKey) -> None:
    """With Retry-After as long as nobody knows its keys; API keys work meanwhile, and 401s carry the challenge."""
    with IssuerServer([key]) as issuer:
        url = issuer.url
        settings = settings_of(issuer)
    platform = Platform(credentials=settings)
    async with platform.client(None) as client:

        async def look(credential: str) -> httpx.Response:
            path = "/jobs/00000000-0000-0000-0000-000000000000"
            return await client.get(path, headers={"Authorization": credential})

        away = await look(new_token(key, url, "anna", "acme"))
        assert (away.status_code, away.json()["code"]) == (503, "issuer_unavailable")
        assert 1 <= int(away.headers["Retry-After"]) <= 10
        assert (await look(await platform.secret())).status_code == 404
        expired = await look(new_token(key, "http://127.0.0.1:9", "anna", "acme"))
        assert (expired.status_code, expired.json()["code"]) == (401, "credential_invalid")
        assert expired.headers["WWW-Authenticate"] == "Bearer"


async def test_known_keys_open_while_the_issuer_is_away(key: SigningKey) -> None:
    """Who has a token goes on working when the issuer stops."""
    with IssuerServer([key]) as issuer:
        token = new_token(key, issuer.url, "anna", "acme")
        running = authenticating(settings_of(issuer))
        authentication = await running.__aenter__()
        await authentication.caller(token)
    try:
        assert (await authentication.caller(token)).user_id == "anna"
    finally:
        await running.__aexit__(None, None, None)


async def test_a_user_has_a_row_from_the_first_sight_on(issuer: IssuerServer, key: SigningKey) -> None:
    """One statement at the first request of a user, none at the next; and the memory of users has a bound."""

    class Counting(MemoryDatabase):
        began = 0

        def transaction(self) -> Any:
            self.began += 1
            return super().transaction()

    database = Counting()
    authentication = Authentication(database, settings_of(issuer))
    for _ in range(3):
        await authentication.caller(new_token(key, issuer.url, "anna", "acme"))
    await authentication.caller(new_token(key, issuer.url, "anna", "other"))
    assert set(database.state.users) == {("acme", "anna"), ("other", "anna")}
    assert database.began == 2
    authentication._seen.update({("acme", str(number)): None for number in range(USERS_REMEMBERED)})
    await authentication.caller(new_token(key, issuer.url, "bea", "acme"))
    assert len(authentication._seen) == USERS_REMEMBERED
    assert ("acme", "bea") in authentication._seen


class Odd:
    """A server that answers in bytes of a test's own and then keeps the connection."""

    def __init__(self, *chunks: bytes, endless: bytes = b"") -> None:
        self._chunks = chunks
        self._endless = endless
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.hung_up = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/keys"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        try:
            connection.recv(4096)
            for chunk in self._chunks:
                connection.sendall(chunk)
            while self._endless and not self._stopped.wait(0.01):
                connection.sendall(self._endless)
        except OSError:
            self.hung_up.set()
        finally:
            connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n{}" + b" " * MAX_BYTES,
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe",
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
async def test_whatever_an_issuer_answers_is_no_error_of_ours(answer: bytes) -> None:
    """Redirects, errors, halves, too much, and nonsense: unavailable, each of them."""
    with Odd(answer) as server, pytest.raises(Unavailable, match="issuer_unavailable"):
        await get_json(server.url)


async def test_a_server_that_drips_is_left() -> None:
    """Bytes that keep coming, each in time, end with the time for the whole; the connection ends, too."""
    with Odd(b"HTTP/1.1 200 OK\r\nX-Slow: ", endless=b"x") as server:
        with pytest.raises(Unavailable, match="no whole answer"):
            await get_json(server.url, whole_seconds=0.2)
        assert await asyncio.to_thread(server.hung_up.wait, 10)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "http://issuer.example"},
        {"url": "http://127.0.0.1.example"},
        {"url": "https://user:password@issuer.example"},
        {"url": "https://"},
        {"url": "ftp://127.0.0.1"},
        {"jwks_url": "http://issuer.example/keys"},
        {"audiences": []},
        {"audiences": [""]},
        {"tenant": None},
        {"tenant_claim": "tenant"},
        {"scopes": ["everything"]},
        {"audience": ["misspelt"]},
    ],
)
def test_unsafe_settings_start_nothing(fields: dict[str, Any]) -> None:
    """No issuer over plain HTTP but on this machine, without audience, or without a clear tenant."""
    sound = {"url": "https://issuer.example", "audiences": ["web"], "tenant": "acme"}
    assert IssuerSettings(**sound)
    with pytest.raises(ValidationError):
        IssuerSettings(**{**sound, **fields})


def test_an_issuer_is_listed_once() -> None:
    """Which of two settings counts would be anybody's guess; nor are keys forgotten before they are refreshed."""
    issuer = {"url": "https://issuer.example", "audiences": ["web"], "tenant": "acme"}
    with pytest.raises(ValidationError, match="twice"):
        CredentialSettings(issuers=[issuer, {**issuer, "tenant": "other"}])
    with pytest.raises(ValidationError, match="keep_seconds"):
        CredentialSettings(keep_seconds=60)


def test_the_development_key_is_its_owners(tmp_path: Any) -> None:
    """Made once, kept, readable by nobody else."""
    path = tmp_path / "secrets" / "issuer.pem"
    made = kept_key(path)
    assert kept_key(path).kid == made.kid
    assert path.stat().st_mode & 0o077 == 0
