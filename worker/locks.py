"""Locks on files (flock), which hold between threads and between processes and end with whoever held them.

Each call opens the file anew: a flock belongs to the open file, so two threads of one process exclude each other too.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

LOCK_POLL_S = 0.02
LOCK_RETRY_S = 0.1


class LockCancelled(Exception):
    """Waiting for the lock was given up."""


def locked_shared(path: Path, cancelled: threading.Event) -> int:
    """Wait until nobody holds the lock exclusively; returns the handle that shares it until it is closed.

    Whoever holds a lock exclusively may unlink its file, so the handle is compared with what is at `path` now.

    Raises:
        LockCancelled: `cancelled` was set first.
    """
    while True:
        handle = _opened(path)
        try:
            _wait(handle, cancelled)
            if _same(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def locked_if_free(path: Path) -> int | None:
    """The exclusive lock, or None if anybody holds it."""
    handle = _opened(path)
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _same(handle, path):
            return handle
    os.close(handle)
    return None


class DataFolderBusy(Exception):
    """Another worker uses this data folder; give each worker a folder of its own with --data."""


def lock_data_folder(data: Path, wait_s: float) -> int:
    """Make the data folder ours for as long as the process lives; returns the lock's handle.

    Waits `wait_s` for a worker that is just leaving.

    Raises:
        DataFolderBusy: another worker keeps it.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    for tries_left in range(int(wait_s / LOCK_RETRY_S), -1, -1):
        handle = locked_if_free(data / "worker.lock")
        if handle is not None:
            return handle
        if tries_left:
            time.sleep(LOCK_RETRY_S)
    raise DataFolderBusy(
        f"Another worker uses the folder {data}. Stop it, or give this one a folder of its own (--data)."
    )


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _wait(handle: int, cancelled: threading.Event) -> None:
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if cancelled.wait(LOCK_POLL_S):
                raise LockCancelled from None


def _same(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
