"""The cache's folder on disk: where each entry lies, how large all of it is, when it was used, and what is evicted.

Eviction takes what was used least recently, and only what nobody holds: a lock file per hash tells, across threads and
processes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

from worker.locks import locked_if_free
from worker.telemetry import logger

RECENT_MAX = 32
"""Hashes that a worker tells the scheduler it has, latest first."""

EVICT_TO = 0.9
"""Share of the limit down to which an eviction frees."""

_log = logger("cache")


class CacheFolder:
    """The folder `root`, at most about `bytes_max` large. Thread-safe, and safe between processes."""

    def __init__(self, root: Path, bytes_max: int) -> None:
        self._root, self._bytes_max = root, bytes_max
        self._lock = threading.Lock()
        self._added_bytes = bytes_max  # unknown at first: look before the first insertion
        self._recent: OrderedDict[str, None] = OrderedDict()
        for name in ("entries", "parts", "locks", "gone"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (root / "gone").iterdir():
            shutil.rmtree(folder, ignore_errors=True)

    # --- places

    def entry(self, sha256: str) -> Path:
        """The folder of an entry."""
        return self._root / "entries" / sha256[:2] / sha256

    def part(self, sha256: str) -> Path:
        """Where a download goes until it is whole."""
        return self._root / "parts" / sha256

    def lock(self, sha256: str) -> Path:
        """The lock file of an entry."""
        return self._root / "locks" / sha256

    # --- use

    def recent(self) -> list[str]:
        """Hashes that were used lately, latest first."""
        with self._lock:
            return list(reversed(self._recent))

    def touch(self, sha256: str) -> None:
        """An entry is used now."""
        os.utime(self.entry(sha256))
        with self._lock:
            self._recent[sha256] = None
            self._recent.move_to_end(sha256)
            while len(self._recent) > RECENT_MAX:
                self._recent.popitem(last=False)

    def count(self, size: int) -> None:
        """So many bytes are added."""
        with self._lock:
            self._added_bytes += size

    # --- eviction

    def make_room(self) -> None:
        """Trim if enough was added for the limit to be reached; called before an entry is installed."""
        with self._lock:
            full = self._added_bytes >= self._bytes_max
        if full:
            self.trim()

    def trim(self) -> int:
        """Evict the least recently used resources until the limit holds; returns the bytes freed."""
        resources = sorted(self._stored(), key=lambda stored: stored[1])
        total = sum(size for _, _, size in resources)
        freed = 0
        if total > self._bytes_max:
            for sha256, _, size in resources:
                if total - freed <= EVICT_TO * self._bytes_max:
                    break
                freed += size if self._evict(sha256) else 0
        with self._lock:
            self._added_bytes = total - freed
        return freed

    def wipe(self, hashes: Iterable[str] | None = None) -> list[str]:
        """Remove these resources, or all; returns those that are still in use and so stay."""
        wanted = {sha256 for sha256, _, _ in self._stored()} if hashes is None else set(hashes)
        return sorted(sha256 for sha256 in wanted if not self._evict(sha256))

    def _stored(self) -> Iterator[tuple[str, int, int]]:
        """Hash, time of last use, bytes: of every entry and of every part of a download."""
        for path in (*(self._root / "entries").glob("??/*"), *(self._root / "parts").iterdir()):
            try:
                status = path.stat()
                yield path.name, status.st_mtime_ns, size_of(path) if path.is_dir() else status.st_size
            except FileNotFoundError:
                continue  # another worker has evicted it meanwhile

    def _evict(self, sha256: str) -> bool:
        """Remove a resource unless somebody holds it."""
        handle = locked_if_free(self.lock(sha256))
        if handle is None:
            return False
        try:
            self._remove(sha256)
            self.lock(sha256).unlink(missing_ok=True)
        finally:
            os.close(handle)
        with self._lock:
            self._recent.pop(sha256, None)
        _log.info("resource_evicted", hash=sha256)
        return True

    def _remove(self, sha256: str) -> None:
        """Renamed first: an entry that is half removed must not look complete."""
        self.part(sha256).unlink(missing_ok=True)
        if self.entry(sha256).exists():
            gone = Path(tempfile.mkdtemp(dir=self._root / "gone")) / sha256
            os.replace(self.entry(sha256), gone)
            shutil.rmtree(gone.parent, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes below a folder; hard links count once."""
    seen: dict[int, int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                status = (Path(root) / name).lstat()
            except FileNotFoundError:
                continue
            seen[status.st_ino] = status.st_size
    return sum(seen.values())
