"""One writer, group commit.

Every change is a function handed to the writer's thread. It runs whatever is waiting, each in a savepoint, in one
transaction, commits once with full durability, and then answers everyone. So two thousand workers share one fsync, a
failed change undoes only itself, and nobody is told "done" before it is on the disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from scheduler.errors import Unavailable

Result = TypeVar("Result")

GROUP_MAX = 256
"""Changes that one commit may carry."""


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
            # "rollback_only": the session joins the group's transaction and never ends it.
            self._session = Session(
                self._connection, autoflush=True, expire_on_commit=False, join_transaction_mode="rollback_only"
            )
        return self._session

    def rows(self, query: Query, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query and fetch all its rows."""
        self._cursor.execute(query.sqlite if self._sqlite else query.postgresql, parameters)
        return self._cursor.fetchall()

    def run(self, query: Query, parameters: Sequence[Any]) -> int:
        """Run a query; returns how many rows it changed."""
        self._cursor.execute(query.sqlite if self._sqlite else query.postgresql, parameters)
        return self._cursor.rowcount

    def run_many(self, query: Query, parameters: Sequence[Sequence[Any]]) -> None:
        """Run a query once for each row of parameters."""
        self._cursor.executemany(query.sqlite if self._sqlite else query.postgresql, parameters)

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
                session.flush()
        finally:
            session.expunge_all()
            session.close()


class _Change:
    __slots__ = ("function", "future")

    def __init__(self, function: Callable[[Transaction], Any], future: Future[Any]) -> None:
        self.function, self.future = function, future


class Writer:
    """Owns the one connection that writes, and the thread that uses it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        self._closed = False
        self._lock = threading.Lock()
        self.commits = 0
        self.changes = 0
        self._thread.start()

    def submit(self, function: Callable[[Transaction], Result]) -> Future[Result]:
        """Hand over a change; the future is answered after the commit, or with the change's own exception."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise Unavailable("The scheduler is shutting down.", code="shutting_down")
            self._queue.put(_Change(function, future))
        return future

    def write(self, function: Callable[[Transaction], Result]) -> Result:
        """Hand over a change and wait for it."""
        return self.submit(function).result()

    def close(self) -> None:
        """Finish what is waiting and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _serve(self) -> None:
        connection = self._engine.connect()
        try:
            while True:
                first = self._queue.get()
                if first is None:
                    return
                group, ending = self._collect(first)
                connection = self._commit_group(connection, group)
                if ending:
                    return
        finally:
            connection.close()

    def _collect(self, first: _Change) -> tuple[list[_Change], bool]:
        group = [first]
        while len(group) < GROUP_MAX:
            try:
                change = self._queue.get_nowait()
            except queue.Empty:
                return group, False
            if change is None:
                return group, True
            group.append(change)
        return group, False

    def _commit_group(self, connection: Connection, group: list[_Change]) -> Connection:
        """Run the group in one transaction and answer everyone; returns the connection to go on with."""
        answers: list[tuple[_Change, Any, BaseException | None]] = []
        try:
            with connection.begin():
                transaction = Transaction(connection)
                answers = [_run_one(transaction, change) for change in group]
        except BaseException as error:
            failure = explain_storage(error)
            for change in group:
                change.future.set_exception(failure)
            # After a failed commit nothing on the connection is to be trusted.
            connection.invalidate()
            connection.close()
            return self._engine.connect()
        self.commits += 1
        self.changes += len(group)
        for change, result, error in answers:
            if error is None:
                change.future.set_result(result)
            else:
                change.future.set_exception(error)
        return connection


def _run_one(transaction: Transaction, change: _Change) -> tuple[_Change, Any, BaseException | None]:
    """One change in its savepoint; also when it is alone, for it may fail half-way."""
    transaction.statement("SAVEPOINT change")
    try:
        result = change.function(transaction)
        transaction.settle()
    except Exception as error:
        transaction.settle(flush=False)
        transaction.statement("ROLLBACK TO SAVEPOINT change")
        transaction.statement("RELEASE SAVEPOINT change")
        return change, None, explain_storage(error)
    transaction.statement("RELEASE SAVEPOINT change")
    return change, result, None


def explain_storage(error: BaseException) -> BaseException:
    """A full disk in words that say what to do; everything else as it is."""
    text = str(error).lower()
    if isinstance(error, DBAPIError) or "disk" in text:
        if "full" in text or "no space" in text or "disk i/o" in text:
            return Unavailable(
                "The scheduler's disk is full; nothing was stored.",
                code="storage_full",
                hint="Free some space in the data folder; the farm goes on by itself.",
            )
    return error
