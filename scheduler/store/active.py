"""One active scheduler per data folder and database: a lock on a file, and an advisory lock in PostgreSQL.

The advisory lock belongs to the session of the writer's own connection. So a scheduler that has lost the lock has lost
its hands with it: whatever it still believes, it can write nothing beside the one that has the lock now.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine

LOCK_ID = 0x0F1E1D
"""Of the advisory lock, in each database."""


class ActiveLock:
    """The lock. `connection` is the writer's, where the lock is one of the database."""

    def __init__(self, engine: Engine, data: Path) -> None:
        self._engine, self._path = engine, data / "scheduler.lock"
        self._handle: int | None = None
        self.connection: Connection | None = None

    def acquire(self) -> bool:
        """Try to become the active scheduler."""
        if not self._lock_file():
            return False
        if self._engine.dialect.name == "sqlite":
            return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCK_ID})").scalar():
            connection.close()
            self.release()
            return False
        self.connection = connection
        return True

    def release(self) -> None:
        """Let another scheduler become active."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self.connection is not None:
            self.connection.invalidate()  # a connection that went back to the pool would keep the lock
            self.connection.close()
            self.connection = None

    def _lock_file(self) -> bool:
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


class Loss:
    """Whether the connection that holds the lock is lost, and who is to be told, in the writer's thread."""

    def __init__(self) -> None:
        self.happened = False
        self._tell: list[Callable[[], object]] = []

    def when(self, tell: Callable[[], object]) -> None:
        """Have it called then, once."""
        self._tell.append(tell)
        if self.happened:
            tell()

    def tell(self) -> None:
        """It is lost."""
        self.happened = True
        for tell in self._tell:
            tell()
