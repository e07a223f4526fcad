"""What the store lies on, a disk or a database server: what its errors mean, in words that say what to do."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError

from scheduler.errors import Unavailable

SERVER_GONE = ("08", "57P")
"""SQLSTATEs that begin so are of connections and of a server that shuts down
(https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


def explain_storage(error: BaseException) -> BaseException:
    """A full disk or a lost server in words that say what to do; everything else as it is."""
    if is_connection_lost(error):
        return database_lost()
    text = str(error).lower()
    is_storage = isinstance(error, DBAPIError | OSError) or "disk" in text
    if is_storage and ("full" in text or "no space" in text or "disk i/o" in text):
        return Unavailable(
            "The scheduler's disk is full; nothing was stored.",
            code="storage_full",
            hint="Free some space in the data folder; the farm goes on by itself.",
        )
    return error


def is_connection_lost(error: BaseException | None) -> bool:
    """Has a database server closed the connection, or gone? The hot road's statements raise the driver's own errors."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or is_connection_lost(error.orig)
    kinds = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("psycopg")}
    state: str | None = getattr(error, "sqlstate", None)
    return "OperationalError" in kinds and (state is None or state.startswith(SERVER_GONE))


def database_lost() -> Unavailable:
    """The error for a database server that has gone away in the middle of things."""
    return Unavailable(
        "The database server has gone away; what was being written may be stored or not.",
        code="database_lost",
        hint="Try again in a minute: the scheduler starts anew with what is stored. Workers do so by themselves.",
    )


def storage_full() -> Unavailable:
    """The error for a disk that is (nearly) full."""
    return Unavailable(
        "The farm's disk is full; nothing was stored.",
        code="storage_full",
        hint="Tell the farm's admin; workers keep their results and try again.",
    )


def explain_disk(error: OSError) -> BaseException:
    """A failed write in words."""
    explained = explain_storage(error)
    return storage_full() if explained is error and error.errno in (errno.ENOSPC, errno.EDQUOT) else explained
