"""Settings come from the environment, and what is missing is named."""

import os
from pathlib import Path

import pytest

from mien_core.settings import KafkaSettings, PostgresSettings, S3Settings, ServiceSettings, load


class Settings(ServiceSettings):
    """A service that needs all of them."""

    postgres: PostgresSettings
    kafka: KafkaSettings
    s3: S3Settings = S3Settings()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MIEN_"):
            monkeypatch.delenv(name)


def test_two_underscores_nest(monkeypatch: pytest.MonkeyPatch) -> None:
    """MIEN_KAFKA__BROKERS is settings.kafka.brokers."""
    monkeypatch.setenv("MIEN_POSTGRES__URL", "postgresql://db/mien")
    monkeypatch.setenv("MIEN_POSTGRES__POOL_MAX", "3")
    monkeypatch.setenv("MIEN_KAFKA__BROKERS", "one:9092,two:9092")
    monkeypatch.setenv("MIEN_S3__PUBLIC_ENDPOINT", "https://photos.example")
    settings = load(Settings)
    assert settings.postgres.url.get_secret_value() == "postgresql://db/mien"
    assert settings.postgres.pool_max == 3
    assert settings.kafka.brokers == "one:9092,two:9092"
    assert settings.s3.public_endpoint == "https://photos.example"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing settings prints no secret."""
    monkeypatch.setenv("MIEN_POSTGRES__URL", "postgresql://mien:hunter2@db/mien")
    monkeypatch.setenv("MIEN_KAFKA__BROKERS", "one:9092")
    monkeypatch.setenv("MIEN_S3__SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in repr(load(Settings))


def test_what_is_missing_or_wrong_is_named_as_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that has to be set is said at once, by the names to set, and without the values that were wrong."""
    monkeypatch.setenv("MIEN_POSTGRES__POOL_MAX", "hunter2")
    with pytest.raises(SystemExit) as raised:
        load(Settings)
    message = str(raised.value)
    for name in ("MIEN_POSTGRES__URL", "MIEN_POSTGRES__POOL_MAX", "MIEN_KAFKA__BROKERS"):
        assert name in message
    assert "hunter2" not in message


def test_what_should_be_json_and_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is said, without a trace and without the value."""

    class Lists(ServiceSettings):
        s3: dict[str, list[str]]

    monkeypatch.setenv("MIEN_S3", "hunter2")
    with pytest.raises(SystemExit, match="s3") as raised:
        load(Lists)
    assert "hunter2" not in str(raised.value)


def test_production_refuses_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody says that it is a test, no process starts with fault points switched on."""
    monkeypatch.setenv("MIEN_FAULTS", "/run/plan")
    for environment in (None, "production"):
        if environment is not None:
            monkeypatch.setenv("MIEN_ENVIRONMENT", environment)
        with pytest.raises(SystemExit, match=r"MIEN_FAULTS: .* set MIEN_ENVIRONMENT=test"):
            load(ServiceSettings)
    monkeypatch.setenv("MIEN_ENVIRONMENT", "test")
    assert load(ServiceSettings).faults == Path("/run/plan")
