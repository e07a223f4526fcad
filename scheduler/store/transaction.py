"""What a change of the store may do, inside the transaction that the writer has begun and will end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection
from sqlmodel import Session


class Query:
    """A prepared statement of the hot road, written once with `?` and run on SQLite and PostgreSQL alike."""

    def __init__(self, sql: str) -> None:
        self.sqlite = sql
        self.postgresql = sql.replace("?", "%s")


class Transaction:
    """What a change may do: run hot-road queries, or use a SQLModel session on the same transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._cursor = connection.connection.cursor()
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """An ORM session; what it holds is flushed when the change ends."""
        if self._session is None:
            # The writer says BEGIN and COMMIT itself; SQLAlchemy is told of a transaction, in which the session has a
            # savepoint of its own: a flush that fails would otherwise roll back the whole group.
            if not self._connection.in_transaction():
                self._connection.begin()
            self._session = Session(
                self._connection, autoflush=True, expire_on_commit=False, join_transaction_mode="create_savepoint"
            )
        return self._session

    def rows(self, query: Query, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query and fetch all its rows."""
        self._cursor.execute(query.sqlite if self._sqlite else query.postgresql, parameters)
        return cast("list[tuple[Any, ...]]", self._cursor.fetchall())

    def run(self, query: Query, parameters: Sequence[Any]) -> int:
        """Run a query; returns how many rows it changed."""
        self._cursor.execute(query.sqlite if self._sqlite else query.postgresql, parameters)
        return self._cursor.rowcount

    def run_many(self, query: Query, parameters: Sequence[Sequence[Any]]) -> int:
        """Run a query once for each row of parameters; returns how many rows were changed in all."""
        self._cursor.executemany(query.sqlite if self._sqlite else query.postgresql, parameters)
        return self._cursor.rowcount

    def statement(self, sql: str) -> None:
        """Run a bare statement (BEGIN, SAVEPOINT …)."""
        self._cursor.execute(sql)

    def settle(self, *, flush: bool = True) -> None:
        """Flush and let go of the ORM session, if a change has used one."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if flush:
                session.commit()  # flushes, and releases the session's savepoint
        finally:
            session.expunge_all()
            session.close()
