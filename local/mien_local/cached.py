"""What the cache holds, by name: each is named by what went into it, so that another version is another name."""

import hashlib
from pathlib import Path

_PARTS = Path(__file__).parent / "parts"

KAFKA_LOCK = _PARTS / "kafka_jars" / "jgo.lock.toml"


def kafka_folder_name() -> str:
    """The folder of Apache Kafka's archives."""
    return f"kafka-{hashlib.sha256(KAFKA_LOCK.read_bytes()).hexdigest()[:16]}"


def s3_program_name() -> Path:
    """The S3 server's program."""
    content = b"".join((_PARTS / "versitygw" / name).read_bytes() for name in ("go.mod", "go.sum"))
    return Path(f"versitygw-{hashlib.sha256(content).hexdigest()[:16]}") / "versitygw"


def checksum_of(program: Path) -> Path:
    """The file beside a built program that holds its SHA-256."""
    return program.with_suffix(".sha256")
