"""The schema's history (Alembic). A published revision is never edited, only followed by another."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at this libpq URL to a revision; several replicas may do so at once."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database back to a revision; base drops everything."""
    command.downgrade(_config(url), revision)


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    # attributes, not the .ini options: a password may hold a percent sign, which ConfigParser would interpret
    config.attributes["url"] = url
    return config
