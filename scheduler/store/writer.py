"""One writer, group commit.

Every change is a function handed to the writer's thread. It runs whatever is waiting, each in a savepoint, in one
transaction, commits once with full durability, and then answers everyone. So two thousand workers share one fsync, a
failed change undoes only itself, and nobody is told "done" before it is on the disk.

A quick change that finds the writer idle, and the disk quick, is run by its caller at once: two thread switches and the
wait for the interpreter's lock between every two statements cost more than the change itself (`submit_quick`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from scheduler.errors import Unavailable
from scheduler.store.active import Loss
from scheduler.store.disk import database_lost, explain_storage
from scheduler.store.transaction import Transaction

Result = TypeVar("Result")

GROUP_MAX = 256
"""Changes that one commit may carry."""

QUICK_COMMIT_S = 0.003
"""While commits take longer than this on average, no caller waits for one inside its event loop."""

COMMIT_MEMORY = 0.1
"""Weight of the newest commit in that average."""


class Change:
    """A change and where its answer goes: a thread's future, or a future of an event loop."""

    __slots__ = ("error", "function", "future", "loop", "result", "waiter")

    def __init__(self, function: Callable[[Transaction], Any]) -> None:
        self.function = function
        self.future: Future[Any] | None = None
        self.waiter: asyncio.Future[Any] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.result: Any = None
        self.error: BaseException | None = None

    def expect_answer(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
        """A future of the loop that the answer goes to."""
        self.loop, self.waiter = loop, loop.create_future()
        return self.waiter


class Writer:
    """Owns the one connection that writes, and the thread that uses it."""

    def __init__(self, engine: Engine, connection: Connection | None = None) -> None:
        """`connection`: the one that holds the lock of a database server. Without it nothing is written any more, and
        `lost` is set: what is in memory may not be what is stored, so the scheduler has to start anew."""
        self.lost = Loss()
        self._engine = engine
        self._holds_lock = connection is not None
        self._begin = "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN"
        self._queue: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        self._closed = False
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # whoever holds it uses the connection
        self._unanswered = 0  # groups that are committed, but whose event loop has not been woken yet
        self._commit_s = 0.0
        self._connection = connection if connection is not None else self._connect()
        self.commits = 0
        self.changes = 0
        self._thread.start()

    def submit(self, function: Callable[[Transaction], Result]) -> Future[Result]:
        """Hand over a change; the future is answered after the commit, or with the change's own exception."""
        change = Change(function)
        future: Future[Result] = Future()
        change.future = future
        self._put(change)
        return future

    def submit_async(self, function: Callable[[Transaction], Result]) -> asyncio.Future[Result]:
        """The same for a coroutine: answered in its own loop, all changes of a commit with one wake-up."""
        change = Change(function)
        waiter = change.expect_answer(asyncio.get_running_loop())
        self._put(change)
        return waiter

    def submit_quick(self, function: Callable[[Transaction], Result]) -> asyncio.Future[Result]:
        """The same for a change of a few prepared statements: run here and now if nobody else is writing.

        Changes are answered in the order of their commits all the same: while anything waits, or is committed but not
        answered yet, the change waits its turn behind it.
        """
        change = Change(function)
        waiter = change.expect_answer(asyncio.get_running_loop())
        self.run_together([change])
        return waiter

    def run_together(self, changes: list[Change]) -> None:
        """The same for several, which share one commit. Each expects its answer in the running loop."""
        if self._commit_s < QUICK_COMMIT_S and self._turn.acquire(blocking=False):
            try:
                if not self._closed and not self._unanswered and self._queue.empty():
                    self._commit(changes)
                    _answer_in_loop(changes)
                    return
            finally:
                self._turn.release()
        for change in changes:
            try:
                self._put(change)
            except Unavailable as error:
                change.error = error
                _answer_in_loop([change])

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

    def _put(self, change: Change) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("The scheduler is shutting down.", code="shutting_down")
            self._queue.put(change)

    def _connect(self) -> Connection:
        # AUTOCOMMIT for SQLAlchemy: BEGIN, COMMIT and savepoints are the writer's own statements.
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _serve(self) -> None:
        ending = False
        while not ending:
            first = self._queue.get()
            if first is None:
                break
            with self._turn:
                group, ending = self._collect(first)
                self._commit(group)
                self._answer(group)
        with self._turn:
            if not self._holds_lock:
                self._connection.close()

    def _commit(self, group: list[Change]) -> None:
        """Commit a group; a connection whose commit failed is not to be trusted any more."""
        started_s = time.perf_counter()
        if self.lost.happened:
            for change in group:
                change.error = database_lost()
            return
        if not self._commit_group(self._connection, group):
            if self._holds_lock:
                self._roll_back()
            else:
                self._connection.invalidate()
                self._connection.close()
                self._connection = self._connect()
        self._commit_s += COMMIT_MEMORY * (time.perf_counter() - started_s - self._commit_s)

    def _roll_back(self) -> None:
        """Go on with the connection that holds the lock, if it is still one."""
        try:
            transaction = Transaction(self._connection)
            transaction.settle(flush=False)
            transaction.statement("ROLLBACK")
            if self._connection.in_transaction():
                self._connection.rollback()
        except Exception:  # noqa: BLE001  whatever it is, nothing can be written over this connection
            self.lost.tell()

    def _answer(self, group: list[Change]) -> None:
        """Tell everyone; each event loop is woken once, however many of its changes were in the group."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Change]] = defaultdict(list)
        for change in group:
            if change.loop is not None:
                by_loop[change.loop].append(change)
            elif change.future is not None:
                if change.error is None:
                    change.future.set_result(change.result)
                else:
                    change.future.set_exception(change.error)
        for loop, changes in by_loop.items():
            with self._lock:
                self._unanswered += 1
            try:
                loop.call_soon_threadsafe(self._answer_late, changes)
            except RuntimeError:  # the loop has ended, and whoever waited with it
                with self._lock:
                    self._unanswered -= 1

    def _answer_late(self, changes: list[Change]) -> None:
        with self._lock:
            self._unanswered -= 1
        _answer_in_loop(changes)

    def _collect(self, first: Change) -> tuple[list[Change], bool]:
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

    def _commit_group(self, connection: Connection, group: list[Change]) -> bool:
        """Run the group in one transaction; False if the transaction itself failed, and everyone with it."""
        try:
            transaction = Transaction(connection)
            transaction.statement(self._begin)
            if len(group) == 1:
                _run_alone(transaction, group[0])
            else:
                for change in group:
                    _run_beside_others(transaction, change)
                transaction.statement("COMMIT")
            if connection.in_transaction():
                connection.commit()  # tells SQLAlchemy; the database has committed already
        except Exception as error:  # noqa: BLE001  every waiter must be told, whatever it was
            failure = explain_storage(error)
            for change in group:
                change.result, change.error = None, failure
            return False
        self.commits += 1
        self.changes += len(group)
        return True


def _run_alone(transaction: Transaction, change: Change) -> None:
    """A change alone in its transaction needs no savepoint: if it fails, the transaction does."""
    try:
        change.result = change.function(transaction)
        transaction.settle()
    except Exception as error:  # noqa: BLE001  the answer to whoever waits
        change.result, change.error = None, explain_storage(error)
        with suppress(Exception):
            transaction.settle(flush=False)
        transaction.statement("ROLLBACK")
        return
    transaction.statement("COMMIT")


def _run_beside_others(transaction: Transaction, change: Change) -> None:
    """One change in its savepoint: if it fails, it undoes only itself."""
    transaction.statement("SAVEPOINT change")
    try:
        change.result = change.function(transaction)
        transaction.settle()
    except Exception as error:  # noqa: BLE001  the answer to whoever waits
        change.result, change.error = None, explain_storage(error)
        transaction.settle(flush=False)
        transaction.statement("ROLLBACK TO SAVEPOINT change")
    transaction.statement("RELEASE SAVEPOINT change")


def _answer_in_loop(changes: list[Change]) -> None:
    for change in changes:
        waiter = change.waiter
        if waiter is None or waiter.done():
            continue
        if change.error is None:
            waiter.set_result(change.result)
        else:
            waiter.set_exception(change.error)
