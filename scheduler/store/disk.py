"""The disk that the store lies on: what its errors mean, in words that say what to do."""

from __future__ import annotations

import errno

from sqlalchemy.exc import DBAPIError

from scheduler.errors import Unavailable


def explain_storage(error: BaseException) -> BaseException:
    """A full disk in words that say what to do; everything else as it is."""
    text = str(error).lower()
    is_storage = isinstance(error, DBAPIError | OSError) or "disk" in text
    if is_storage and ("full" in text or "no space" in text or "disk i/o" in text):
        return Unavailable(
            "The scheduler's disk is full; nothing was stored.",
            code="storage_full",
            hint="Free some space in the data folder; the farm goes on by itself.",
        )
    return error


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
