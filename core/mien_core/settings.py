"""Settings: the environment with the prefix MIEN_, nested by two underscores (MIEN_KAFKA__BROKERS).

Each service composes its own settings class from these groups in its wiring, so that a process knows no secret
that it doesn't need.
"""

import re
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError


class PostgresSettings(BaseModel):
    """A libpq URL; the pool's bounds are connections per process."""

    url: SecretStr
    pool_min: int = Field(default=1, ge=0)
    pool_max: int = Field(default=10, ge=1)


class RedisSettings(BaseModel):
    """Where the replicas share their limits instead of in Postgres: redis://…, rediss:// with TLS, or unix://."""

    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _with_a_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise PydanticCustomError("redis_url", "it begins with redis://, rediss:// or unix://")
        return value


class KafkaSettings(BaseModel):
    """brokers is a comma-separated list of host:port; the other two apply to topics that mien creates."""

    brokers: str
    partitions: int = Field(default=8, ge=1)
    replication_factor: int = Field(default=1, ge=1)
    retention_hours: int = Field(default=7 * 24, ge=1, le=7 * 24)

    @property
    def servers(self) -> list[str]:
        """The brokers, each as host:port."""
        return [broker.strip() for broker in self.brokers.split(",") if broker.strip()]


class S3Settings(BaseModel):
    """The object store.

    public_endpoint is the address that browsers use; presigned URLs carry it. Without keys, boto3's own chain
    (workload identity, profile) applies. None as endpoint means AWS.
    """

    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str = "us-east-1"
    bucket: str = "mien"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    upload_expires_seconds: int = Field(default=900, ge=1, le=7 * 24 * 3600)
    download_expires_seconds: int = Field(default=900, ge=1, le=7 * 24 * 3600)


class ServingSettings(BaseModel):
    """The Ray Serve router's HTTP address; timeout is seconds for one whole request."""

    url: str
    timeout_seconds: float = Field(default=30.0, gt=0)


class WebhookSettings(BaseModel):
    """What makes the secrets of webhooks, and where they may be sent; the same for api and streams.

    key is at least 32 random characters. Who changes it puts the one before into older_keys until no webhook's secret
    is made with it. allow_private is for development: webhooks may go anywhere, also without TLS.
    """

    key: SecretStr = Field(min_length=32)
    older_keys: tuple[SecretStr, ...] = ()
    allow_private: bool = False


class ErasureSettings(BaseModel):
    """What proves erasures.

    signing_key is an Ed25519 key, 32 random bytes as 64 hexadecimal digits; `python -m mien_core.certificate keys new`
    makes one. Whoever changes it keeps the public half of the one before: certificates are verified with it for good.
    """

    signing_key: SecretStr

    @field_validator("signing_key")
    @classmethod
    def _of_32_bytes(cls, value: SecretStr) -> SecretStr:
        if re.fullmatch("[0-9a-fA-F]{64}", value.get_secret_value()) is None:
            raise PydanticCustomError("signing_key", "it has 64 hexadecimal digits, as `openssl rand -hex 32` gives")
        return value


class TelemetrySettings(BaseModel):
    """Logs are JSON lines unless log_format is text; traces are exported when otlp_endpoint is set.

    metrics_port serves Prometheus metrics for processes without an HTTP server of their own; 0 means none.
    """

    log_level: str = "INFO"
    log_format: str = Field(default="json", pattern="^(json|text)$")
    log_file: str | None = None
    otlp_endpoint: str | None = None
    metrics_port: int = Field(default=0, ge=0, le=65535)


class ServiceSettings(BaseSettings):
    """What every service's settings inherit.

    faults is the file that mien_core.faults reads; with it, no process starts where environment isn't test.
    """

    model_config = SettingsConfigDict(env_prefix="MIEN_", env_nested_delimiter="__", extra="ignore", frozen=True)

    environment: Literal["production", "test"] = "production"
    faults: Path | None = None
    telemetry: TelemetrySettings = TelemetrySettings()

    @field_validator("faults")
    @classmethod
    def _only_in_tests(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("environment") != "test":
            raise PydanticCustomError(
                "faults_in_production", "kills this process on purpose; unset it, or set MIEN_ENVIRONMENT=test"
            )
        return value


AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


def load(settings_class: type[AnySettings]) -> AnySettings:
    """Read settings from the environment.

    Raises:
        SystemExit: with one line per missing or wrong variable, by its name in the environment.
    """
    try:
        return settings_class()
    except SettingsError as error:
        # it names the group, and not the value, which may be a secret
        raise SystemExit(f"A setting that is a list or a mapping must be JSON: {error}") from None
    except ValidationError as error:
        lines = [
            f"  {_variable(part['loc'])}: {part['msg'][:1].lower()}{part['msg'][1:]}"
            for part in error.errors(include_input=False, include_url=False)
        ]
        message = "The settings are not complete. Set in the environment:\n" + "\n".join(lines)
        raise SystemExit(message) from None


def _variable(location: tuple[int | str, ...]) -> str:
    path = [str(part).upper() for part in location]
    if len(path) == 1 and path[0] in _REQUIRED_LEAF:
        path.append(_REQUIRED_LEAF[path[0]])
    return "MIEN_" + "__".join(path)


# A group that is missing as a whole is reported by its one required member.
_REQUIRED_LEAF = {
    "POSTGRES": "URL",
    "KAFKA": "BROKERS",
    "SERVING": "URL",
    "WEBHOOKS": "KEY",
    "ERASURE": "SIGNING_KEY",
    "OPERATOR": "NAMESPACE",
}
