"""Opening the database: SQLite in the data folder by default, PostgreSQL by URL, with the same code.

SQLite comes from the `pysqlite3` wheel: Python 3.11 brings 3.40, which has the WAL-reset corruption bug
(https://sqlite.org/wal.html; fixed in 3.51.3). WAL, `synchronous=FULL`: what was acknowledged survives a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlmodel import Session

from scheduler.errors import Unavailable

SQLITE_MIN = (3, 51, 3)
"""The first release without the WAL-reset bug."""

BUSY_TIMEOUT_MS = 10_000
READERS_MAX = 16
_LOCK_ID = 0x0F1E1D


def sqlite_module() -> Any:
    """The DB-API module of the current SQLite; imported only where a database is opened: the CLI starts without it."""
    from pysqlite3 import dbapi2

    return dbapi2


def database_url(database: str | None, data: Path) -> str:
    """The database's URL: what the settings say, or a file in the data folder."""
    return database or f"sqlite:///{data / 'outfield.sqlite'}"


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """An engine with the pragmas that this project relies on.

    Raises:
        Unavailable: the SQLite that was found has the corruption bug, or the URL's driver is missing.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(url, read_only=read_only)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            return create_engine(parsed, pool_size=READERS_MAX, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise Unavailable(
                "The PostgreSQL driver is missing.", hint="Install it with: pip install 'outfield[postgresql]'"
            ) from error
    raise Unavailable(
        f"{parsed.get_backend_name()} is not a database that Outfield knows.", hint="Use SQLite or PostgreSQL."
    )


def _open_sqlite(url: str, *, read_only: bool) -> Engine:
    dbapi2 = sqlite_module()
    if dbapi2.sqlite_version_info < SQLITE_MIN:
        raise Unavailable(
            f"SQLite {dbapi2.sqlite_version} can corrupt its log under load.",
            hint="Install a current pysqlite3: pip install -U pysqlite3",
        )
    engine = create_engine(
        url,
        module=dbapi2,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        pool_size=READERS_MAX,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=OFF" if read_only else "PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-65536")
        cursor.execute("PRAGMA journal_size_limit=67108864")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    if read_only:  # the writer says BEGIN itself

        @event.listens_for(engine, "begin")
        def _begin(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
            connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session for reading one consistent snapshot; readers never wait for the writer."""
    with Session(engine) as session:
        yield session


class ActiveLock:
    """One active scheduler per database: a lock on a file beside SQLite, an advisory lock in PostgreSQL."""

    def __init__(self, engine: Engine, data: Path) -> None:
        self._engine, self._path = engine, data / "scheduler.lock"
        self._handle: int | None = None
        self._connection: Any = None

    def acquire(self) -> bool:
        """Try to become the active scheduler."""
        if self._engine.dialect.name == "sqlite":
            return self._lock_file()
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK_ID})").scalar():
            connection.close()
            return False
        self._connection = connection
        return True

    def release(self) -> None:
        """Let another scheduler become active."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lock_file(self) -> bool:
        import fcntl

        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle
        return True


def sqlite_path(engine: Engine) -> Path | None:
    """The database file, if it is one."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(cast(str, engine.url.database))
