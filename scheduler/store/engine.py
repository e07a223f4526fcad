"""Opening the database: SQLite in the data folder by default, PostgreSQL by URL, with the same code.

SQLite comes from the `pysqlite3` wheel: Python 3.11 brings 3.40, which has the WAL-reset corruption bug
(https://sqlite.org/wal.html; fixed in 3.51.3). WAL, `synchronous=FULL`: what was acknowledged survives a power cut.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from scheduler.clock import Clock, SystemClock
from scheduler.errors import Unavailable

SQLITE_MIN = (3, 51, 3)
"""The first release without the WAL-reset bug."""

BUSY_TIMEOUT_MS = 10_000
READERS_MAX = 16

SERVER_CONNECTION = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""For a database server (https://www.postgresql.org/docs/current/libpq-connect.html): one that has gone without a word
is noticed after some 15 s. Seconds, but for the last, which is in milliseconds."""

SERVER_POLL_S = 0.5
"""Between tries to reach a database server that is not there yet."""


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
        return _open_postgresql(parsed, read_only=read_only)
    raise Unavailable(
        f"{parsed.get_backend_name()} is not a database that Outfield knows.", hint="Use SQLite or PostgreSQL."
    )


def _open_postgresql(url: URL, *, read_only: bool) -> Engine:
    """The writer has one connection and says BEGIN itself; readers see one consistent snapshot each, as with SQLite."""
    options: dict[str, Any] = {"pool_size": READERS_MAX, "pool_pre_ping": True} if read_only else {"pool_size": 2}
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=SERVER_CONNECTION,
            isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
            **options,
        )
    except ModuleNotFoundError as error:
        raise Unavailable(
            "The PostgreSQL driver is missing.", hint="Install it with: pip install 'outfield[postgresql]'"
        ) from error
    return engine.execution_options(postgresql_readonly=True) if read_only else engine


def wait_for_database(engine: Engine, wait_s: float, clock: Clock | None = None) -> None:
    """Wait until a database server answers; a file is there at once.

    Raises:
        Unavailable: it does not answer within this time.
    """
    if engine.dialect.name == "sqlite":
        return
    clock = clock or SystemClock()
    until_s = clock.monotonic() + wait_s
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if clock.monotonic() >= until_s:
                raise Unavailable(
                    f"The database {shown(engine)} does not answer: {plain(error)}",
                    code="database_away",
                    hint="Start it, or mend server.database; server.database_wait_s says how long it is waited for.",
                ) from error
            time.sleep(SERVER_POLL_S)
        else:
            return


def shown(engine: Engine) -> str:
    """A database as people and settings write it, without its password."""
    return engine.url.set(drivername=engine.url.get_backend_name()).render_as_string().replace("%2F", "/")


def plain(error: DBAPIError) -> str:
    """What the driver says, without the statement and on one line."""
    return " ".join(str(error.orig).split())


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


def sqlite_path(engine: Engine) -> Path | None:
    """The database file, if it is one."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(cast(str, engine.url.database))
