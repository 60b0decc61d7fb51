"""Where webhooks' messages may go and what may come back, on real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mien_api.webhook_handlers import WebhookHandlers
from mien_core.adapters.dns import SystemResolver
from mien_core.adapters.memory.names import MemoryResolver
from mien_core.adapters.postgres import PostgresDatabase
from mien_core.errors import Unavailable
from mien_core.model.platform import Caller, JobStatus
from mien_core.model.webhooks import WebhookEvent
from mien_core.settings import PostgresSettings
from tests.webhooks import (
    Ask,
    Receiver,
    asking,
    attempts,
    end,
    receiving,
    register,
    sending,
    until,
    waiting,
    webhook_rules,
)


@pytest.fixture
async def database(fresh_database: str) -> AsyncIterator[PostgresDatabase]:
    async with PostgresDatabase(PostgresSettings.model_validate({"url": fresh_database})) as database:
        yield database


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def rows(fresh_database: str) -> Iterator[Ask]:
    with asking(fresh_database) as ask:
        yield ask


class Connections:
    """Something that listens and is never to be reached."""

    def __init__(self) -> None:
        self.count = 0
        self.port = 0

    def _connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._connected, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0"])  # noqa: S104 - refused
async def test_a_name_that_turns_private_reaches_nothing(
    fresh_database: str, database: PostgresDatabase, address: str
) -> None:
    """Public when it was registered, this machine when a message is sent: no connection is made."""
    inside = Connections()
    async with inside.listening():
        resolver = MemoryResolver({"rebinding.example": ["93.184.216.34"]})
        handlers = WebhookHandlers(database, webhook_rules(resolver))
        url = f"https://rebinding.example:{inside.port}/hook"
        await handlers.register(Caller("acme", None), url, [WebhookEvent.JOB_COMPLETED])
        resolver.names["rebinding.example"] = [address]
        before = attempts("address_refused")
        async with sending(fresh_database, resolver, allow_private=False):
            await end(database)
            await until(lambda: attempts("address_refused") > before)
        assert inside.count == 0


async def test_what_was_registered_in_development_reaches_nothing_later(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver
) -> None:
    """An address that was allowed then is refused by whoever doesn't allow it now."""
    await register(database, receiver.url)
    before = attempts("address_refused")
    async with sending(fresh_database, allow_private=False):
        await end(database)
        await until(lambda: attempts("address_refused") > before)
    assert receiver.messages == []


async def test_what_was_registered_without_tls_is_not_sent_later(
    fresh_database: str, database: PostgresDatabase
) -> None:
    """Where development isn't allowed any more, its name isn't even looked up."""
    resolver = ChangingResolver()
    await register(database, "http://shop.example/hook")
    before = attempts("address_refused")
    async with sending(fresh_database, resolver, allow_private=False):
        await end(database)
        await until(lambda: attempts("address_refused") > before)
    assert resolver.asked == []


class ChangingResolver(MemoryResolver):
    """Gives each of its answers once: who asks more often than it is meant to gets an error."""

    def __init__(self, *answers: list[str]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[str] = []

    async def addresses(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0)


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server named so shows, and the file by which clients trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, whole = folder / "trusted.pem", folder / "server.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    whole.write_bytes(private + trusted.read_bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(whole)
    return context, trusted


async def test_the_address_that_was_found_is_the_one_that_is_connected_to(
    fresh_database: str, database: PostgresDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look-up a message; TLS and Host keep the name, and another name's certificate is none."""
    tls, trusted = certificate_for("shop.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    names: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    resolver = ChangingResolver(["127.0.0.1"], ["127.0.0.1"])
    async with receiving(tls) as receiver:
        port = receiver.url.rsplit(":", 1)[1].partition("/")[0]
        await register(database, f"https://shop.example:{port}/hook", events=frozenset({WebhookEvent.JOB_COMPLETED}))
        async with sending(fresh_database, resolver):
            await end(database)
            await until(lambda: len(receiver.messages) == 1)
        assert (resolver.asked, names) == (["shop.example"], ["shop.example"])
        assert receiver.messages[0].headers["Host"] == f"shop.example:{port}"

        await register(database, f"https://other.example:{port}/hook", events=frozenset({WebhookEvent.JOB_FAILED}))
        before = attempts("unreachable")
        async with sending(fresh_database, resolver):
            await end(database, JobStatus.FAILED)
            await until(lambda: attempts("unreachable") > before)
        assert len(receiver.messages) == 1


async def test_nothing_but_the_head_of_an_answer_is_read(
    fresh_database: str, database: PostgresDatabase, receiver: Receiver, rows: Ask
) -> None:
    """A body without end is accepted by its status; a head without end is no answer, and neither is other talk."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65536)
        return response

    receiver.answer = endless
    await register(database, receiver.url)
    async with sending(fresh_database):
        await end(database)
        await until(lambda: waiting(rows) == 0)

    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        rows("UPDATE webhooks SET url = %s", f"http://127.0.0.1:{port}/")
        before = attempts("unreachable")
        async with sending(fresh_database):
            await end(database)
            await until(lambda: attempts("unreachable") > before)
    assert waiting(rows) == 1


async def test_the_systems_resolver_knows_this_machine() -> None:
    """And says of a name that doesn't exist, or can't, that it has no address now."""
    resolver = SystemResolver()
    assert set(await resolver.addresses("localhost")) <= {"127.0.0.1", "::1"}
    for name in ("nobody.invalid", "a" * 64 + ".example"):
        with pytest.raises(Unavailable, match="host_unresolved"):
            await resolver.addresses(name)
