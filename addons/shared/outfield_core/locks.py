# SPDX-License-Identifier: Apache-2.0
"""Locks between processes on one machine that the system releases when their holder dies, however it dies."""

from __future__ import annotations

import os
from typing import Optional

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt


class FileLock:
    """A held lock; `release` it, or die."""

    def __init__(self, handle: int) -> None:
        self._handle: Optional[int] = handle

    def release(self) -> None:
        """Let others have it; may be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()


def locked(path: str) -> FileLock:
    """Wait for the lock and take it. For short moments only."""
    handle = _open(path)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        else:  # tries ten times, a second apart, then raises OSError
            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
    except BaseException:
        os.close(handle)
        raise
    return FileLock(handle)


def locked_if_free(path: str) -> Optional[FileLock]:
    """Take the lock, or None: somebody alive holds it."""
    handle = _open(path)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError:
        os.close(handle)
        return None
    return FileLock(handle)


def _open(path: str) -> int:
    # Not inheritable since Python 3.4: a renderer that the program starts must not keep the lock alive.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
