"""`mien doctor` beside a running platform and on a broken installation: each thing is broken for real, and told."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from mien_core import events
from mien_core.settings import S3Settings
from mien_local.doctor import health
from mien_local.doctor.finding import Finding
from mien_local.home import Home
from mien_local.parts.kafka import create_topics
from mien_local.parts.part import Server, Stage
from mien_local.processes import Identity
from mien_local.state import PlatformState

REPOSITORY = Path(__file__).parents[2]
Found = dict[str, dict[str, str]]


def doctor(environment: Mapping[str, str], *command: str) -> tuple[int, Found, str]:
    """Exit status, findings by name, and all that was printed."""
    done = subprocess.run(
        [*(command or (sys.executable, "-m", "mien_local")), "doctor", "--json"],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, {finding["name"]: finding for finding in json.loads(done.stdout)}, done.stdout + done.stderr


def bare(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    return {**kept, "MIEN_HOME": str(home)}


def levels(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.name: finding.level for finding in findings}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctor that waits for a busy machine's answer; where nobody listens, that is known at once all the same."""
    monkeypatch.setattr(health, "_SECONDS", 60.0)


@pytest.fixture
def empty_database(postgres_server: str) -> Iterator[str]:
    """The URL of a database without a schema."""
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield psycopg.conninfo.make_conninfo(postgres_server, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_without_a_single_package_it_still_says_what_is_missing(tmp_path: Path) -> None:
    """An interpreter that sees the source and nothing else: no traceback, and what to install."""
    environment = {**bare(tmp_path / "home"), "PYTHONPATH": f"{REPOSITORY}/local:{REPOSITORY}/core"}
    status, found, said = doctor(environment, sys.executable, "-S", "-m", "mien_local")
    assert status == 1
    assert found["packages"]["level"] == "broken"
    assert "missing" in found["packages"]["text"]
    assert "make setup" in found["memory"]["mend"]
    assert found["python"]["level"] == "ok"
    assert "Traceback" not in said


def test_it_changes_nothing(tmp_path: Path) -> None:
    """Not even the folders of a home that doesn't exist yet, nor those of the cache."""
    home = tmp_path / "home"
    status, found, _ = doctor({**bare(home), "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert status == 0, [finding for finding in found.values() if finding["level"] == "broken"]
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_a_killed_platform_left_is_told(tmp_path: Path) -> None:
    """Also one whose record is gone: its environment says whose it is."""
    home = Home(tmp_path / "home")
    home.prepare()
    left = Server(Stage(home), "left")
    left.start([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        (home.run / "left.json").rename(home.run / "left.gone")
        _, found, _ = doctor(bare(home.root))
        assert found["leftovers"]["level"] == "warning"
        assert "mien up" in found["leftovers"]["mend"]
    finally:
        left.stop()
    assert doctor(bare(home.root))[1]["leftovers"]["level"] == "ok"


@pytest.mark.usefixtures("patient")
def test_a_database_without_schema_or_away_is_told(empty_database: str, fresh_database: str) -> None:
    """Reached and migrated; reached and empty; one revision behind; not reached."""
    settings = {"MIEN_POSTGRES__URL": fresh_database}
    assert levels(health.postgres(settings)) == {"postgres": "ok", "schema": "ok", "clock": "ok"}
    assert levels(health.postgres({"MIEN_POSTGRES__URL": empty_database}))["schema"] == "broken"
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'long_ago'")
    assert levels(health.postgres(settings))["schema"] == "broken"
    nobody = {"MIEN_POSTGRES__URL": "postgresql://me:opensesame@127.0.0.1:9/mien"}
    assert levels(health.postgres(nobody)) == {"postgres": "broken"}


@pytest.mark.usefixtures("patient")
def test_a_topic_that_is_missing_is_told(kafka_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name; and a broker that is away is one line."""
    settings = {"MIEN_KAFKA__BROKERS": kafka_server}
    create_topics(kafka_server, dict.fromkeys(events.TOPICS, 1))
    deadline = time.monotonic() + 60
    # a broker lists a topic a moment after its controller has made it
    while levels(health.kafka(settings)) != {"kafka": "ok", "topics": "ok"}:
        assert time.monotonic() < deadline, list(health.kafka(settings))
        time.sleep(0.1)
    monkeypatch.setattr(events, "TOPICS", (*events.TOPICS, "mien.never-made.v1"))
    found = {finding.name: finding for finding in health.kafka(settings)}
    assert found["topics"].level == "broken"
    assert "mien.never-made.v1" in found["topics"].text
    assert levels(health.kafka({"MIEN_KAFKA__BROKERS": "127.0.0.1:9"})) == {"kafka": "broken"}


@pytest.mark.usefixtures("patient")
def test_a_bucket_that_is_missing_or_refused_is_told(s3_server: S3Settings) -> None:
    """There; another name; a wrong key; no server."""
    assert s3_server.access_key_id is not None
    assert s3_server.secret_access_key is not None
    settings = {
        "MIEN_S3__ENDPOINT": str(s3_server.endpoint),
        "MIEN_S3__BUCKET": s3_server.bucket,
        "MIEN_S3__ACCESS_KEY_ID": s3_server.access_key_id.get_secret_value(),
        "MIEN_S3__SECRET_ACCESS_KEY": s3_server.secret_access_key.get_secret_value(),
    }
    assert levels(health.s3(settings)) == {"bucket": "ok"}
    assert levels(health.s3({**settings, "MIEN_S3__BUCKET": "nowhere"})) == {"bucket": "broken"}
    assert levels(health.s3({**settings, "MIEN_S3__SECRET_ACCESS_KEY": "wrong"})) == {"bucket": "broken"}
    assert levels(health.s3({**settings, "MIEN_S3__ENDPOINT": "http://127.0.0.1:9"})) == {"s3": "broken"}


def test_no_secret_is_ever_shown(tmp_path: Path) -> None:
    """Neither a kept one nor one of the environment, whatever the texts hold that others made."""
    home = Home(tmp_path / "home")
    home.prepare()
    kept = home.secret("s3")
    PlatformState("failed", Identity("mien", os.getpid(), 1.0), error=f"{kept} opensesame sesameopen").write(home)
    environment = {
        **bare(home.root),
        "MIEN_POSTGRES__URL": "postgresql://me:opensesame@127.0.0.1:9/mien",
        "MIEN_S3__ENDPOINT": "http://127.0.0.1:9",
        "MIEN_S3__SECRET_ACCESS_KEY": "sesameopen",
    }
    status, found, said = doctor(environment)
    assert status == 1
    assert found["external postgres"]["level"] == found["external s3"]["level"] == "broken"
    assert found["state"]["text"].endswith("*** *** ***")
    assert not [secret for secret in (kept, "opensesame", "sesameopen") if secret in said]


def test_make_doctor_needs_no_installation(tmp_path: Path) -> None:
    """Without .venv the machine's own Python says what to do; no traceback, and no installation starts."""
    for name in ("Makefile", "local", "core", "requirements"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    done = subprocess.run(
        ["make", "doctor"], cwd=tmp_path, env=bare(tmp_path / "home"), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "make setup" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / ".venv").exists()
