"""Schema changes, run by Alembic at every start, in the writer's transaction: a failed migration changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

SCRIPTS: Final = Path(__file__).parent / "migrations"
TABLE: Final = "alembic_version"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Apply every migration that this database has not seen, up to this revision."""
    if revision == "head" and revision_of(connection) == newest():
        return
    from alembic import command  # noqa: PLC0415 - slow to load, and most starts find nothing to do
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def revision_of(connection: Connection) -> str:
    """The last migration that this database has seen; "" where it has seen none."""
    if not inspect(connection).has_table(TABLE):
        return ""
    return connection.execute(text(f"SELECT version_num FROM {TABLE}")).scalar() or ""  # noqa: S608 - a constant


def newest() -> str:
    """The revision of the newest migration, as its file is named: v0001_first.py is 0001."""
    return max(script.name[1:5] for script in (SCRIPTS / "versions").glob("v*.py"))
