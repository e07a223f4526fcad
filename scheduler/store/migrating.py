"""Bringing a database to the present schema with Alembic, after a backup of a SQLite file that needs it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from scheduler.errors import Unavailable
from scheduler.store.backup import backup_sqlite
from scheduler.store.engine import sqlite_path

MIGRATIONS = Path(__file__).parent / "migrations"


def current_revision(engine: Engine) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """The revision that this release needs."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head


def migrate(engine: Engine, data: Path) -> bool:
    """Upgrade to the present schema; returns whether anything was done.

    Raises:
        Unavailable: the database was written by a newer release.
    """
    current, head = current_revision(engine), head_revision()
    if current == head:
        return False
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        raise Unavailable(
            "This database was written by a newer release of Outfield.",
            code="database_newer",
            hint="Install that release again, or restore a backup made with this one.",
        )
    path = sqlite_path(engine)
    if current is not None and path is not None:
        backup_sqlite(path, data / f"before-{head}.sqlite")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
