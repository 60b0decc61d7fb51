"""`python -m mien_local.parts.kafka_jars` writes jgo.lock.toml anew from jgo.toml."""

from mien_local.parts.kafka_jars import write_lock

if __name__ == "__main__":
    print(write_lock())
