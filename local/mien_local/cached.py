"""What the cache holds, by name: each is named by what went into it, so that another version is another name."""

import hashlib
from pathlib import Path

_PARTS = Path(__file__).parent / "parts"

KAFKA_LOCK = _PARTS / "kafka_jars" / "jgo.lock.toml"


def kafka_folder_name() -> str:
    """The folder of Apache Kafka's archives."""
    return f"kafka-{hashlib.sha256(KAFKA_LOCK.read_bytes()).hexdigest()[:16]}"
