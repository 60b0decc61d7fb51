"""The parts of a running platform, and those that others provide: asked whether they do what is expected of them."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from mien_local.doctor.finding import Finding, broken, ok, warning
from mien_local.home import Home
from mien_local.ports import HOST

_SECONDS = 5.0
_CLOCK_SECONDS = 1.0
_LOGS = "mien logs"

Settings = Mapping[str, str]


def parts(home: Home) -> Iterator[Finding]:
    """What the supervisor of the running platform says of each part."""
    from mien_local.state import PlatformState  # noqa: PLC0415 - psutil may be missing

    running = PlatformState.of_running(home)
    for part in running.parts if running else ():
        name = f"part {part.name}"
        if part.phase in {"given up", "failed"}:
            yield broken(name, f"{part.phase}: {part.note}", "mend the cause, then mien down and mien up")
        elif part.phase not in {"ready", "external"}:
            yield warning(name, f"{part.phase}; {part.note or part.last_exit}", f"wait a moment; {_LOGS} {part.name}")
        elif part.restarts:
            yield warning(name, f"was started again {part.restarts} times; {part.last_exit}", f"{_LOGS} {part.name}")
        else:
            yield ok(name, f"{part.phase} {part.address}".strip())


def postgres(settings: Settings) -> Iterator[Finding]:
    """It can be reached, its schema is the newest, its clock is this machine's."""
    import psycopg  # noqa: PLC0415 - a broken installation has none
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - likewise

    from mien_core import migrations  # noqa: PLC0415 - likewise

    try:
        connection = psycopg.connect(settings["MIEN_POSTGRES__URL"], connect_timeout=int(_SECONDS), autocommit=True)
    except psycopg.OperationalError as error:
        yield broken("postgres", f"can't be reached: {_line(error)}", f"{_LOGS} postgres")
        return
    with connection:
        yield ok("postgres", "reached")
        newest = ScriptDirectory(str(next(iter(migrations.__path__)))).get_heads()
        try:
            found = [str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version").fetchall()]
        except psycopg.errors.UndefinedTable:
            found = []
        if sorted(found) == sorted(newest):
            yield ok("schema", f"at the newest revision {', '.join(found)}")
        else:
            text = f"at {', '.join(found) or 'no revision'}, not {', '.join(newest)}"
            yield broken("schema", text, "python -m mien_core migrate (mien up does it)")
        before = time.time()
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        after = time.time()
        yield from clock(float(row[0]) if row else 0.0, before, after)


def clock(theirs: float, before: float, after: float) -> Iterator[Finding]:
    """Postgres' clock, read between two looks at this machine's; all in seconds since the epoch."""
    apart = max(before - theirs, theirs - after, 0.0)
    if apart > _CLOCK_SECONDS:
        text = f"{apart:.1f} s apart from Postgres': deadlines and expiry are decided wrongly"
        yield warning("clock", text, "set both clocks by NTP")
    else:
        yield ok("clock", f"within {apart:.1f} s of Postgres'")


def kafka(settings: Settings) -> Iterator[Finding]:
    """It can be reached, and has every topic."""
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - a broken installation has none
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - likewise

    from mien_core.events import TOPICS  # noqa: PLC0415 - likewise
    from mien_local.parts.s3 import NOTIFICATIONS_TOPIC  # noqa: PLC0415 - likewise

    async def topics() -> set[str]:
        client = AIOKafkaAdminClient(
            bootstrap_servers=settings["MIEN_KAFKA__BROKERS"], request_timeout_ms=int(_SECONDS * 1000)
        )
        try:
            await client.start()
            return set(await client.list_topics())
        finally:
            await client.close()

    try:
        missing = {*TOPICS, NOTIFICATIONS_TOPIC} - asyncio.run(topics())
    except (KafkaError, OSError) as error:
        yield broken("kafka", f"can't be reached: {_line(error)}", f"{_LOGS} kafka")
        return
    yield ok("kafka", "reached")
    if missing:
        yield broken(
            "topics", f"missing: {', '.join(sorted(missing))}", "python -m mien_streams topics (mien up does it)"
        )
    else:
        yield ok("topics", "all exist")


def s3(settings: Settings) -> Iterator[Finding]:
    """It can be reached, and its bucket exists."""
    import boto3  # noqa: PLC0415 - a broken installation has none
    from botocore.config import Config  # noqa: PLC0415 - likewise
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - likewise

    client = boto3.client(
        "s3",
        endpoint_url=settings.get("MIEN_S3__ENDPOINT"),
        region_name=settings.get("MIEN_S3__REGION", "us-east-1"),
        aws_access_key_id=settings.get("MIEN_S3__ACCESS_KEY_ID"),
        aws_secret_access_key=settings.get("MIEN_S3__SECRET_ACCESS_KEY"),
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=_SECONDS,
            read_timeout=_SECONDS,
        ),
    )
    bucket = settings.get("MIEN_S3__BUCKET", "mien")
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        text = f"the bucket {bucket} is refused: {_line(error)}"
        yield broken("bucket", text, "make the bucket (mien up makes its own), or look at the access key")
    except BotoCoreError as error:
        yield broken("s3", f"can't be reached: {_line(error)}", f"{_LOGS} s3")
    else:
        yield ok("bucket", f"{bucket} exists")


def applications(home: Home) -> Iterator[Finding]:
    """All of Serve's applications are RUNNING."""
    import httpx  # noqa: PLC0415 - a broken installation has none

    port = int(json.loads((home.data / "ports.json").read_text())["ray-dashboard"])
    token = (home.data / "secrets" / "ray").read_text().strip()
    url = f"http://{HOST}:{port}/api/serve/applications/"
    try:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=_SECONDS)
        found = answer.raise_for_status().json()["applications"]
    except httpx.HTTPError as error:
        yield broken("serve", f"can't be reached: {_line(error)}", f"{_LOGS} ray")
        return
    for name, application in found.items():
        status = application["status"]
        if status == "RUNNING":
            yield ok(f"application {name}", status)
        else:
            text = f"{status}: {' '.join(str(application.get('message', '')).split())[:300]}"
            yield broken(f"application {name}", text, f"its logs are in {home.logs / 'ray-session'}")
    if not found:
        yield broken("serve", "it has no applications", "mien down, then mien up")


def api(settings: Settings) -> Iterator[Finding]:
    """Its health endpoint says ok."""
    import httpx  # noqa: PLC0415 - a broken installation has none

    url = f"{settings['MIEN_URL']}/api/health"
    try:
        answer = httpx.get(url, timeout=_SECONDS)
    except httpx.TransportError as error:
        yield broken("api", f"{url} doesn't answer: {_line(error)}", f"{_LOGS} api")
        return
    if answer.is_success:
        yield ok("api", f"{url} answers {answer.status_code}")
    else:
        yield broken("api", f"{url} answers {answer.status_code}", f"{_LOGS} api")


def external(provided: Mapping[str, Settings]) -> Iterator[Finding]:
    """Somebody listens at each address of a part that others provide."""
    for part, settings in provided.items():
        setting, value = next(iter(settings.items()))
        for host, port in addresses(value):
            name = f"external {part}"
            try:
                socket.create_connection((host, port), timeout=_SECONDS).close()
            except OSError as error:
                text = f"nobody answers at {host}:{port}: {_line(error)}"
                yield broken(name, text, f"start it, or correct {setting}, or unset that: then mien starts its own")
            else:
                yield ok(name, f"{host}:{port} answers")


def addresses(value: str) -> list[tuple[str, int]]:
    """Host and port of a URL or of each broker, without the credentials that it may hold.

    Raises:
        ValueError: a port is no number.
    """
    defaults = {"postgresql": 5432, "postgres": 5432, "http": 80, "https": 443, "kafka": 9092}
    urls = [value] if "://" in value else [f"kafka://{broker.strip()}" for broker in value.split(",")]
    split = [urlsplit(url) for url in urls]
    return [(url.hostname or "localhost", url.port or defaults.get(url.scheme, 80)) for url in split]


def asked(
    settings: Settings, provided: Mapping[str, Settings], home: Home
) -> list[tuple[str, Callable[[], Iterator[Finding]]]]:
    """What to ask of a running platform with these settings."""
    questions: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("postgres", lambda: postgres(settings)),
        ("kafka", lambda: kafka(settings)),
        ("s3", lambda: s3(settings)),
        ("api", lambda: api(settings)),
    ]
    if "serving" not in provided:
        questions.append(("serve", lambda: applications(home)))
    return questions


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
