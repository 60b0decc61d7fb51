"""The settings by which a person says that a part runs elsewhere."""

from collections.abc import Mapping

from mien_local import environment_file
from mien_local.home import Home

# The setting that replaces each part, with those that go with it.
REPLACEMENTS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("MIEN_POSTGRES__URL",),
    "kafka": ("MIEN_KAFKA__BROKERS",),
    "s3": (
        "MIEN_S3__ENDPOINT",
        "MIEN_S3__PUBLIC_ENDPOINT",
        "MIEN_S3__REGION",
        "MIEN_S3__BUCKET",
        "MIEN_S3__ACCESS_KEY_ID",
        "MIEN_S3__SECRET_ACCESS_KEY",
    ),
    "serving": ("MIEN_SERVING__URL",),
}


def own_addresses(home: Home) -> dict[str, str]:
    """The settings under which this platform's own parts are reached, as they were kept."""
    return environment_file.read(home.data / "own.env")


def replaced(environment: Mapping[str, str], own: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The parts that others provide, each with its settings.

    A setting that names this platform's own part, as in a shell that sourced its dev.env, replaces nothing: that part
    must be started.
    """
    return {
        part: {name: environment[name] for name in names if environment.get(name)}
        for part, names in REPLACEMENTS.items()
        if environment.get(names[0]) and environment[names[0]] != own.get(names[0])
    }
