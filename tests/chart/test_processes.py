"""Each command of the chart, with its rendered environment, as a process against the real parts."""

import secrets as secrets_of_python
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from mien_core.settings import S3Settings
from mien_local.ports import HOST
from mien_streams.wiring import ROLES
from tests.chart.charts import Chart, Rendered, scenario
from tests.chart.local_pod import LocalPod, running

pytestmark = pytest.mark.timeout(600)

READY_SECONDS = 240.0

Secrets = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database without any schema."""
    name = f"chart_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield psycopg.conninfo.make_conninfo(postgres_server, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def secrets(database: str, s3_server: S3Settings) -> Secrets:
    """The Secrets that a platform team makes before it installs the chart."""
    assert s3_server.access_key_id is not None
    assert s3_server.secret_access_key is not None
    return {
        "mien-postgres": {"url": database},
        "mien-s3": {
            "access-key-id": s3_server.access_key_id.get_secret_value(),
            "secret-access-key": s3_server.secret_access_key.get_secret_value(),
        },
        "mien-webhooks": {"key": uuid4().hex},
        "mien-erasure": {"signing-key": secrets_of_python.token_hex(32)},
        "mien-ray": {"auth_token": uuid4().hex},
    }


@pytest.fixture(scope="module")
def installed(chart: Chart, kafka_server: str, s3_server: S3Settings) -> Rendered:
    """The chart, told of the real parts."""
    values: dict[str, Any] = {
        "kafka.brokers": kafka_server,
        "kafka.replicationFactor": 1,
        "s3.endpoint": s3_server.endpoint,
        "s3.bucket": s3_server.bucket,
        "s3.region": s3_server.region,
        "webhooks.existingSecret": "mien-webhooks",
        "streams.roles.webhooks.enabled": True,
    }
    return chart.render(scenario("small"), overrides=values)


@pytest.fixture(scope="module")
def migrated(installed: Rendered, secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> LocalPod:
    """What Helm runs before it installs anything else, at its end."""
    pod = LocalPod(installed, installed.container("migrations"), secrets, tmp_path_factory.mktemp("hooks"))
    with running(pod):
        assert pod.finish(READY_SECONDS) == 0, pod.log.read_text()
    return pod


@pytest.mark.usefixtures("migrated")
def test_migrations_bring_the_schema_up_to_date(database: str) -> None:
    """The hook makes all tables in an empty database; it knows nothing but the database's URL."""
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM information_schema.tables WHERE table_name = 'jobs'").fetchone()
    assert row == (1,)


@pytest.mark.usefixtures("migrated")
def test_the_api_starts_is_found_well_and_stops(installed: Rendered, secrets: Secrets, tmp_path: Path) -> None:
    """All three probes answer, and a polite end takes less than the pod's grace."""
    pod = LocalPod(
        installed,
        installed.container("api"),
        secrets,
        tmp_path,
        ports={8000: "MIEN_API__PORT"},
        settings={"MIEN_API__HOST": HOST},
    )
    with running(pod):
        pod.wait_until("startupProbe", READY_SECONDS)
        assert pod.probe("readinessProbe")
        assert pod.probe("livenessProbe")
        assert pod.terminate() in {0, -15}, pod.log.read_text()


@pytest.mark.usefixtures("migrated")
def test_an_api_with_a_wrong_secret_never_takes_an_old_ones_place(
    installed: Rendered, secrets: Secrets, tmp_path: Path
) -> None:
    """A pod whose bucket refuses it is up, but its startup probe fails, so that a rollout stops at it."""
    wrong = {**secrets, "mien-s3": {"access-key-id": "nobody", "secret-access-key": "wrong"}}
    container = installed.container("api")
    ports, settings = {8000: "MIEN_API__PORT"}, {"MIEN_API__HOST": HOST}
    pod = LocalPod(installed, container, wrong, tmp_path, ports=ports, settings=settings)
    with running(pod):
        pod.wait_until("livenessProbe", READY_SECONDS)
        assert not pod.probe("startupProbe")


@pytest.mark.usefixtures("migrated")
def test_every_role_takes_part_and_stops(installed: Rendered, secrets: Secrets, tmp_path: Path) -> None:
    """Each role's pod becomes ready beside all others, is found alive, and ends within its grace with status 0."""
    pods = [
        LocalPod(
            installed,
            installed.container("streams", role),
            secrets,
            tmp_path,
            ports={9090: "MIEN_TELEMETRY__METRICS_PORT"},
        )
        for role in ROLES
    ]
    with running(*pods):
        for pod in pods:
            pod.wait_until("readinessProbe", READY_SECONDS)
        for pod in pods:
            assert pod.probe("startupProbe"), pod.name
            assert pod.probe("livenessProbe"), pod.name
        for pod in pods:
            assert pod.terminate() == 0, pod.log.read_text()
            assert not pod.probe("readinessProbe"), pod.name


def test_rays_head_is_found_well_by_everybody_and_configured_by_nobody(
    installed: Rendered, secrets: Secrets, tmp_path: Path
) -> None:
    """Its probes need no token; who asks for Serve's configuration without the token is refused, and with it isn't."""
    (cluster,) = installed.of_kind("RayCluster").values()
    parameters = cluster["spec"]["headGroupSpec"]["rayStartParams"]
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mien-") as short:  # sockets' paths may not be long
        settings = {"RAY_TMPDIR": short, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
        ports = dict.fromkeys((6379, 8265, 10001, 52365, 8080), "")
        pod = LocalPod(installed, installed.container("serving"), secrets, tmp_path, ports=ports, settings=settings)
        pod.command = _ray_start({**parameters, "dashboard-host": HOST}, pod.ports)
        with running(pod):
            # Ray gives up by itself where it isn't up within 30 s, and a kubelet starts it again
            pod.wait_until("readinessProbe", READY_SECONDS, restarts=5)
            pod.wait_until("startupProbe", READY_SECONDS)
            assert pod.probe("livenessProbe")
            configuration = f"http://{HOST}:{pod.ports[8265]}/api/serve/applications/"
            assert httpx.get(configuration, timeout=60.0).status_code in {401, 403}
            token = {"Authorization": f"Bearer {secrets['mien-ray']['auth_token']}"}
            assert httpx.get(configuration, headers=token, timeout=60.0).is_success


def _ray_start(parameters: Mapping[str, str], ports: Mapping[int, int]) -> list[str]:
    """The command that KubeRay makes of a head's rayStartParams, on free ports of one machine."""
    options = [f"--{name}={value}" for name, value in parameters.items()]
    moved = {"port": 6379, "dashboard-port": 8265, "ray-client-server-port": 10001}
    moved |= {"dashboard-agent-listen-port": 52365, "metrics-export-port": 8080}
    options += [f"--{name}={ports[port]}" for name, port in moved.items()]
    alone = ["--node-ip-address", HOST, "--min-worker-port=0", "--max-worker-port=0", "--object-store-memory=100000000"]
    return ["python", "-m", "ray.scripts.scripts", "start", "--head", "--block", *options, *alone]


def test_the_overlays_get_into_the_bucket(installed: Rendered, secrets: Secrets, tmp_path: Path) -> None:
    """The hook after an installation ends well against the real object store."""
    pod = LocalPod(installed, installed.container("assets"), secrets, tmp_path)
    with running(pod):
        assert pod.finish(READY_SECONDS) == 0, pod.log.read_text()
    assert '"written"' in pod.log.read_text()
