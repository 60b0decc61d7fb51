"""`mien up`, `status` and `down`, with Postgres, Kafka, S3 and serving provided from outside."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import jwt
import psutil
import pytest

from mien_core.settings import S3Settings
from mien_local import environment_file
from mien_local.home import Home
from mien_local.processes import Identity
from mien_local.state import PlatformState


@pytest.fixture
def environment(
    tmp_path: Path, postgres_server: str, kafka_server: str, s3_server: S3Settings
) -> Iterator[Mapping[str, str]]:
    """The parts that this test run shares, as a person would give them; the home is the test's own."""
    assert s3_server.access_key_id is not None
    assert s3_server.secret_access_key is not None
    assert s3_server.endpoint is not None
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MIEN_")},
        "MIEN_HOME": str(tmp_path / "home"),
        "MIEN_POSTGRES__URL": postgres_server,
        "MIEN_KAFKA__BROKERS": kafka_server,
        "MIEN_S3__ENDPOINT": s3_server.endpoint,
        "MIEN_S3__BUCKET": s3_server.bucket,
        "MIEN_S3__REGION": s3_server.region,
        "MIEN_S3__ACCESS_KEY_ID": s3_server.access_key_id.get_secret_value(),
        "MIEN_S3__SECRET_ACCESS_KEY": s3_server.secret_access_key.get_secret_value(),
        "MIEN_SERVING__URL": "http://127.0.0.1:9",
    }
    yield given
    mien(given, "down")


def mien(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mien_local", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def our_processes(home: Home) -> list[Identity]:
    records = [Identity.read(path) for path in home.run.glob("*.json")]
    return [record for record in records if record is not None and record.is_alive()]


@pytest.mark.timeout(900)
def test_up_stays_until_down(environment: Mapping[str, str]) -> None:
    """A ready platform after up, the same one after a second up, its key after a restart, nothing after down."""
    home = Home(Path(environment["MIEN_HOME"]))
    up = mien(environment, "up")
    assert up.returncode == 0, up.stdout + up.stderr
    settings = environment_file.read(home.environment_file)
    assert settings["MIEN_URL"] in up.stdout
    assert settings["MIEN_API_KEY"] in up.stdout
    assert settings["MIEN_POSTGRES__URL"] == environment["MIEN_POSTGRES__URL"]
    state = PlatformState.of_running(home)
    assert state is not None
    assert {part.name for part in state.parts if part.phase == "external"} == {"postgres", "kafka", "s3", "serving"}
    assert {part.name for part in state.parts if part.phase == "ready"} == {
        "migrate",
        "products",
        "assets",
        "api",
        "streams",
        "key",
        "issuer",
    }

    url = f"{settings['MIEN_URL']}/jobs/00000000-0000-0000-0000-000000000000"
    authorised = {"Authorization": f"Bearer {settings['MIEN_API_KEY']}"}
    assert httpx.get(url, headers=authorised, timeout=60).status_code == 404
    assert httpx.get(url, timeout=60).status_code == 401
    token = mien(environment, "token", "--user", "anna").stdout.strip()
    assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 404
    spoilt = httpx.get(url, headers={"Authorization": f"Bearer {token[:-8]}AAAAAAAA"})
    assert (spoilt.status_code, spoilt.json()["code"]) == (401, "credential_invalid")
    assert settings["MIEN_ISSUER"] == jwt.decode(token, options={"verify_signature": False})["iss"]

    again = mien(environment, "up")
    assert again.returncode == 0
    assert "up already" in again.stdout
    unchanged = PlatformState.of_running(home)
    assert unchanged is not None
    assert unchanged.supervisor == state.supervisor
    assert mien(environment, "status").returncode == 0

    # Killed, as by the kernel out of memory, it leaves its processes; the next up ends them and keeps what they kept.
    left = our_processes(home)
    assert {record.name for record in left} == {"api", "streams", "issuer"}
    psutil.Process(state.supervisor.pid).kill()
    assert mien(environment, "up").returncode == 0
    assert not [record for record in left if record.is_alive()]
    assert environment_file.read(home.environment_file)["MIEN_API_KEY"] == settings["MIEN_API_KEY"]
    assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 404

    running = our_processes(home)
    state = PlatformState.of_running(home)
    assert state is not None
    assert mien(environment, "down").returncode == 0
    assert not [record for record in running if record.is_alive()]
    assert not state.supervisor.is_alive()
    assert mien(environment, "status").returncode == 1


def test_a_platform_that_cannot_start_says_why_and_leaves_nothing(environment: Mapping[str, str]) -> None:
    """The exit status is 1, the code and the end of the log are shown, and no process stays."""
    home = Home(Path(environment["MIEN_HOME"]))
    wrong = {**environment, "MIEN_POSTGRES__URL": "postgresql://nobody:wrong@127.0.0.1:9/none"}
    up = mien(wrong, "up")
    assert up.returncode == 1
    assert "platform_failed" in up.stderr
    assert "migrate" in up.stderr
    assert not our_processes(home)
    assert PlatformState.of_running(home) is None


def test_asking_a_platform_that_does_not_run_says_what_to_do(tmp_path: Path) -> None:
    """The code no_platform, and the command that helps."""
    home = {**os.environ, "MIEN_HOME": str(tmp_path / "home")}
    home.pop("MIEN_URL", None)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"x")
    answer = mien(home, "analyse", "--platform", str(photo))
    assert answer.returncode == 1
    assert "no_platform" in answer.stderr
    assert "mien up" in answer.stderr
