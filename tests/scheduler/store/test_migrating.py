"""The schema that the migrations make is the schema that the code uses; backups restore."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel, func, select

from scheduler.errors import Refused, Unavailable
from scheduler.store.backup import backup_sqlite, restore_sqlite, verify_sqlite
from scheduler.store.engine import open_engine
from scheduler.store.migrating import current_revision, head_revision, migrate
from scheduler.store.store import Store
from scheduler.store.tables import Meta


def test_migrated_schema_is_the_tables(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    assert migrate(engine, tmp_path)
    assert current_revision(engine) == head_revision()
    assert not migrate(engine, tmp_path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


def test_a_database_of_a_newer_release_is_left_alone(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'x.sqlite'}")
    migrate(engine, tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="newer release"):
        migrate(engine, tmp_path)
    engine.dispose()


def test_a_live_backup_restores(tmp_path):
    store = Store(tmp_path / "a")
    store.write(lambda tx: tx.session.add(Meta(key="k", value="v")))
    backup_sqlite(tmp_path / "a" / "outfield.sqlite", tmp_path / "backup.sqlite")
    store.write(lambda tx: tx.session.add(Meta(key="later", value="v")))
    store.close()
    restore_sqlite(tmp_path / "backup.sqlite", tmp_path / "a" / "outfield.sqlite")
    store = Store(tmp_path / "a")
    with store.read() as session:
        assert session.exec(select(Meta.key)).all() == ["k"]
        assert session.exec(select(func.count()).select_from(Meta)).one() == 1
    store.close()
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize("content", [None, b"", b"not a database at all", b"SQLite format 3\0" + b"\0" * 4000])
def test_what_is_no_backup_is_refused(tmp_path, content):
    path = tmp_path / "b.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refused):
        verify_sqlite(path)
