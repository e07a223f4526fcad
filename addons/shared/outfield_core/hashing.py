# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of files, remembered by size, time of change and inode, so that 2 GB of textures are read once.

One file on disk, written whole and renamed. Losing it costs time, never correctness; a file that was changed less than
two seconds ago is not remembered, because the clock of a file system may not tell two changes apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import Callable, Dict, List, Optional

from .errors import Cancelled, LocalTrouble

CHUNK_BYTES = 1024 * 1024
ENTRIES_MAX = 200_000
SETTLED_NS = 2_000_000_000
FORMAT = 1

Progress = Callable[[int], None]


class HashCache:
    """Hashes of files that were read before. Safe to use from threads; processes may overwrite one another's file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: Optional[Dict[str, List[object]]] = None
        self._changed = False

    def known(self, path: str, status: os.stat_result) -> Optional[str]:
        """The hash, if this very content was read before."""
        with self._lock:
            entry = self._load().get(path)
        if entry is not None and entry[:3] == _stamp(status):
            return str(entry[3])
        return None

    def remember(self, path: str, status: os.stat_result, digest: str, now_ns: int) -> None:
        """Keep a hash, unless the file may still change unseen."""
        if now_ns - status.st_mtime_ns < SETTLED_NS:
            return
        with self._lock:
            known = self._load()
            known.pop(path, None)
            known[path] = [*_stamp(status), digest]
            self._changed = True

    def save(self) -> None:
        """Write what was learned; a disk that cannot be written only costs the next submission's time."""
        with self._lock:
            if not self._changed or self._known is None:
                return
            kept = dict(list(self._known.items())[-ENTRIES_MAX:])
            part = "{}.{}.part".format(self._path, os.getpid())
            try:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                with open(part, "w", encoding="utf-8", errors="surrogateescape") as file:
                    json.dump({"format": FORMAT, "files": kept}, file)
                os.replace(part, self._path)
                self._changed = False
            except OSError:
                _unlink(part)

    def _load(self) -> Dict[str, List[object]]:
        if self._known is None:
            try:
                with open(self._path, encoding="utf-8", errors="surrogateescape") as file:
                    content = json.load(file)
                files = content["files"] if content["format"] == FORMAT else {}
                self._known = {key: value for key, value in files.items() if isinstance(value, list)}
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                self._known = {}
        return self._known


def file_hash(
    path: str, cache: HashCache, now_ns: int, progress: Progress = lambda read: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> str:  # fmt: skip
    """SHA-256 of a file in hex; `progress` is told how many more bytes are done with.

    Raises:
        LocalTrouble: it cannot be read. Cancelled.
    """
    try:
        status = os.stat(path)
        found = cache.known(path, status)
        if found is not None:
            progress(status.st_size)
            return found
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while True:
                piece = file.read(CHUNK_BYTES)
                if not piece:
                    break
                if cancelled():
                    raise Cancelled
                digest.update(piece)
                progress(len(piece))
            after = os.fstat(file.fileno())
    except OSError as error:
        raise unreadable(path, error) from error
    if _stamp(after) == _stamp(status):
        cache.remember(path, status, digest.hexdigest(), now_ns)
    return digest.hexdigest()


def unreadable(path: str, error: OSError) -> LocalTrouble:
    """The error for a file of the artist's that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return LocalTrouble(
            "The file {path} is not there.",
            {"path": shown(path)},
            code="file_missing",
            hint="Put it back, or relink it.",
        )
    return LocalTrouble(
        "The file {path} cannot be read: {reason}.",
        {"path": shown(path), "reason": error.strerror or error},
        code="file_unreadable",
        hint="Check its permissions.",
    )


def shown(path: str) -> str:
    """A path as it can stand in a sentence: one line, printable, not endless."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in path)
    return text if len(text) <= 120 else text[:40] + " … " + text[-70:]


def _stamp(status: os.stat_result) -> List[object]:
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
