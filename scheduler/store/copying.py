"""All rows from one database into another: backups of a database server, and farms that move to one or back.

A backup is a SQLite file whatever the farm runs on, so every backup can be put back everywhere.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, select, text

from scheduler.errors import Refused
from scheduler.store.backup import backup_sqlite, finish, verify_sqlite
from scheduler.store.engine import open_engine, sqlite_path
from scheduler.store.migrating import current_revision, head_revision, migrate
from scheduler.store.schema import all_tables

ROWS = 1000
"""Rows that are in memory at once."""


def backup_database(engine: Engine, target: Path) -> int:
    """Copy a live database into one SQLite file, as it is at one moment; returns the file's size in bytes.

    Raises:
        Refused: the copy is not whole, or the database is of another release. OSError: the target cannot be written.
    """
    path = sqlite_path(engine)
    if path is not None:
        return backup_sqlite(path, target)
    if current_revision(engine) != head_revision():
        raise Refused(
            "This database is of another release of Outfield.", code="database_old", hint="Run: outfield db upgrade"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    copy = open_engine(f"sqlite:///{part}")
    try:
        migrate(copy, part.parent)
        snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with snapshot.connect() as source, copy.connect() as copied:
            copied.exec_driver_sql("PRAGMA foreign_keys=OFF")
            copied.exec_driver_sql("BEGIN")
            copy_rows(source, copied)
            copied.exec_driver_sql("COMMIT")
            copied.exec_driver_sql("PRAGMA journal_mode=DELETE")
    finally:
        copy.dispose()
    return finish(part, target)


def restore_rows(backup: Path, engine: Engine, scratch: Path) -> None:
    """Put a backup in the place of all that a database server has of a farm which is stopped: all of it or nothing.

    Raises:
        Refused: the file is no whole backup. Unavailable: it was written by a newer release.
    """
    verify_sqlite(backup)
    copy = scratch / "present.sqlite"
    backup_sqlite(backup, copy)
    source = open_engine(f"sqlite:///{copy}")
    try:
        migrate(source, scratch)
        migrate(engine, scratch)
        with source.connect() as rows, engine.begin() as target:
            for table in reversed(all_tables()):
                target.execute(table.delete())
            copy_rows(rows, target)
    finally:
        source.dispose()


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy every row into tables that are empty, and let numbers go on after the last one that was given."""
    for table in all_tables():
        read = source.execution_options(stream_results=True).execute(select(table))
        for rows in read.mappings().partitions(ROWS):
            target.execute(insert(table), [dict(row) for row in rows])
        column = table.autoincrement_column
        if column is not None:
            given = [_last_number(source, table.name, column.name), source.scalar(select(func.max(column)))]
            if known := [number for number in given if number is not None]:
                _go_on_after(target, table.name, column.name, max(known))


def has_jobs(engine: Engine) -> bool:
    """Is there a farm in this database?"""
    if current_revision(engine) is None:
        return False
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1 FROM job LIMIT 1")).first() is not None


def _last_number(source: Connection, table: str, column: str) -> int | None:
    """The last number that a table has counted, whether or not its row is still there."""
    if source.dialect.name == "postgresql":
        name = _counter(source, table, column)
        row = source.execute(text(f"SELECT last_value FROM {name} WHERE is_called")).first() if name else None  # noqa: S608
    else:
        row = source.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table}).first()
    return None if row is None else int(row[0])


def _go_on_after(target: Connection, table: str, column: str, number: int) -> None:
    if target.dialect.name == "postgresql":
        if name := _counter(target, table, column):
            target.execute(text("SELECT setval(:name, :number)"), {"name": name, "number": number})
        return
    target.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table})
    target.execute(
        text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), {"name": table, "number": number}
    )


def _counter(connection: Connection, table: str, column: str) -> str | None:
    """PostgreSQL's sequence behind a column, quoted by it."""
    found = connection.execute(text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": table, "column": column})
    return found.scalar()
