"""Immutable resources by SHA-256 on this machine's disk: fetched once, verified, shared by slots and by workers.

One folder per hash holds the file (`blob`), the names it is known under (`named/`), or the content of an archive or of
a bundle (`tree/`). A lock file per hash makes it safe across threads and processes: whoever fetches holds it
exclusively, whoever uses the entry holds it shared, and eviction (least recently used first) takes only what nobody
holds. Parts of a download survive, and are continued by Range.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from scheduler.protocol.bundles import read_bundle
from worker.client import Refused, Unreachable
from worker.locks import LOCK_POLL_S, LockCancelled, locked_if_free, locked_shared
from worker.telemetry import logger

RECENT_MAX = 32
"""Hashes that a worker tells the scheduler it has, latest first."""

EVICT_TO = 0.9
"""Share of the limit down to which an eviction frees."""

READ_BYTES = 2**20

Download = Callable[[str, IO[bytes], int], Iterator[int]]
"""(hash, open file, offset) → bytes written so far, as `SchedulerClient.download`."""

Extract = Callable[[Path, Path, Callable[[], bool]], object]
"""(archive, folder to fill, was it cancelled?), as `worker.archive.extract`."""

_log = logger("cache")


class FetchCancelled(Exception):
    """The task was cancelled while its resources were on their way."""


class ResourceDamaged(Exception):
    """A resource does not have the hash it was asked for by, after it was fetched anew."""


class Entry:
    """A cached resource in use: `path` stays valid until `release`."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle: int | None = handle

    def release(self) -> None:
        """Let it be evicted again; may be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class ResourceCache:
    """The cache in `root`, at most about `bytes_max` large. Thread-safe, and safe between processes."""

    def __init__(self, root: Path, *, bytes_max: int, download: Download, extract: Extract) -> None:
        self._root, self._bytes_max = root, bytes_max
        self._download, self._extract = download, extract
        self._lock = threading.Lock()
        self._added_bytes = bytes_max  # unknown at first: look before the first insertion
        self._recent: OrderedDict[str, None] = OrderedDict()
        for name in ("entries", "parts", "locks", "gone"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (root / "gone").iterdir():
            shutil.rmtree(folder, ignore_errors=True)

    def file(self, sha256: str, name: str, cancelled: threading.Event) -> Entry:
        """The resource as a file called `name` (renderers go by endings), at a path that stays the same.

        Raises:
            FetchCancelled, ResourceDamaged, worker.client.CallFailed, OSError.
        """
        handle = self._ensure(sha256, cancelled, self._has_blob, self._install_blob)
        try:
            return Entry(self._named(sha256, Path(name).name or "scene"), handle)
        except BaseException:
            os.close(handle)
            raise

    def tree(self, sha256: str, cancelled: threading.Event) -> Entry:
        """The archive's content as a folder, extracted once.

        Raises:
            As `file`, and whatever `extract` raises for a bad archive.
        """
        handle = self._ensure(sha256, cancelled, self._has_tree, self._install_tree)
        return Entry(self._folder(sha256) / "tree", handle)

    def bundle(self, sha256: str, cancelled: threading.Event) -> Entry:
        """The bundle's manifest, with all its files beside it in the folder `tree`; files it shares are fetched once.

        Raises:
            As `file`, and UnsafeBundle for a manifest that the scheduler should not have taken.
        """
        handle = self._ensure(sha256, cancelled, self._has_bundle, self._install_bundle)
        return Entry(self._folder(sha256) / "manifest.json", handle)

    def recent(self) -> list[str]:
        """Hashes that were used lately, latest first."""
        with self._lock:
            return list(reversed(self._recent))

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

    def _ensure(
        self,
        sha256: str,
        cancelled: threading.Event,
        has: Callable[[str], bool],
        install: Callable[[str, threading.Event], None],
    ) -> int:
        """A shared lock on an entry that is complete; installs it first under an exclusive one.

        The exclusive lock is tried, never waited for: whoever else installs the entry may go on to use it for hours.
        """
        _check_hash(sha256)
        while True:
            handle = self._shared(sha256, cancelled)
            if has(sha256):
                self._touch(sha256)
                return handle
            os.close(handle)
            exclusive = locked_if_free(self._lock_path(sha256))
            if exclusive is None:
                if cancelled.wait(LOCK_POLL_S):
                    raise FetchCancelled
                continue
            try:
                if not has(sha256):
                    self._make_room()
                    install(sha256, cancelled)
            finally:
                os.close(exclusive)

    def _shared(self, sha256: str, cancelled: threading.Event) -> int:
        try:
            return locked_shared(self._lock_path(sha256), cancelled)
        except LockCancelled as error:
            raise FetchCancelled from error

    def _install_blob(self, sha256: str, cancelled: threading.Event) -> None:
        part = self._fetch(sha256, cancelled)
        part.chmod(0o444)  # it is known by its content: nobody may change it
        folder = self._folder(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        self._count(part.stat().st_size)
        os.replace(part, folder / "blob")

    def _install_tree(self, sha256: str, cancelled: threading.Event) -> None:
        folder = self._folder(sha256)
        had = self._has_blob(sha256)
        archive = folder / "blob" if had else self._fetch(sha256, cancelled)
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / "tree.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            self._extract(archive, new, cancelled.is_set)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        self._count(_size(new))
        os.replace(new, folder / "tree")
        if not had:
            archive.unlink()

    def _install_bundle(self, sha256: str, cancelled: threading.Event) -> None:
        """The manifest comes last: with it the bundle counts as complete."""
        folder = self._folder(sha256)
        manifest = self._fetch(sha256, cancelled)
        bundle = read_bundle(manifest.read_bytes())
        folder.mkdir(parents=True, exist_ok=True)
        tree, new = folder / "tree", folder / "tree.new"
        for old in (tree, new):
            shutil.rmtree(old, ignore_errors=True)
        new.mkdir()
        try:
            for place, digest in bundle.files.items():
                self._lay_out(digest, new / place, cancelled)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        os.replace(new, tree)
        os.replace(manifest, folder / "manifest.json")

    def _lay_out(self, sha256: str, path: Path, cancelled: threading.Event) -> None:
        """A file of the cache at a further path: the same bytes on the disk, which stay when the file is evicted."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._ensure(sha256, cancelled, self._has_blob, self._install_blob)
        try:
            try:
                os.link(self._folder(sha256) / "blob", path)
            except OSError:  # a file system without hard links, or with too many of this file
                shutil.copyfile(self._folder(sha256) / "blob", path)
                self._count(path.stat().st_size)
        finally:
            os.close(handle)

    def _fetch(self, sha256: str, cancelled: threading.Event) -> Path:
        """The verified bytes as a part file; what an earlier try has left is continued, once."""
        part = self._root / "parts" / sha256
        for fresh in (False, True):
            with part.open("r+b" if part.exists() and not fresh else "w+b") as file:
                try:
                    self._continue(sha256, file, cancelled)
                except Refused as error:
                    if error.status != 416 or fresh:  # 416: the part is as long as the whole, or longer
                        raise
                file.flush()
                file.seek(0)
                if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                    return part
            _log.warning("resource_damaged", hash=sha256, again=not fresh)
        part.unlink()
        raise ResourceDamaged(
            f"The file {sha256[:12]}… arrives damaged. Check the farm's storage with `outfield doctor`."
        )

    def _continue(self, sha256: str, file: IO[bytes], cancelled: threading.Event) -> None:
        offset = file.seek(0, os.SEEK_END)
        for tries_left in range(RESUMES_MAX, -1, -1):
            try:
                for _written in self._download(sha256, file, offset):
                    if cancelled.is_set():
                        raise FetchCancelled
                return
            except Unreachable:
                reached = file.seek(0, os.SEEK_END)
                if reached == offset or not tries_left:  # no progress: the caller decides how long to wait
                    raise
                offset = reached

    def _named(self, sha256: str, name: str) -> Path:
        """The file under a name, in a folder of its own so that two names never meet."""
        folder = self._folder(sha256)
        place = folder / "named"
        place.mkdir(exist_ok=True)
        path = place / name
        if not path.exists():
            temporary = place / f".{os.getpid()}.{threading.get_ident()}"
            try:
                os.link(folder / "blob", temporary)
            except OSError:
                temporary.symlink_to(folder / "blob")
            os.replace(temporary, path)
            temporary.unlink(missing_ok=True)  # rename of a link onto its own file leaves both
        return path

    def _make_room(self) -> None:
        with self._lock:
            full = self._added_bytes >= self._bytes_max
        if full:
            self.trim()

    def _count(self, size: int) -> None:
        with self._lock:
            self._added_bytes += size

    def _touch(self, sha256: str) -> None:
        os.utime(self._folder(sha256))
        with self._lock:
            self._recent[sha256] = None
            self._recent.move_to_end(sha256)
            while len(self._recent) > RECENT_MAX:
                self._recent.popitem(last=False)

    def _stored(self) -> Iterator[tuple[str, int, int]]:
        """Hash, time of last use, bytes: of every entry and of every part of a download."""
        for path in (*(self._root / "entries").glob("??/*"), *(self._root / "parts").iterdir()):
            try:
                status = path.stat()
                yield path.name, status.st_mtime_ns, _size(path) if path.is_dir() else status.st_size
            except FileNotFoundError:
                continue  # another worker has evicted it meanwhile

    def _evict(self, sha256: str) -> bool:
        """Remove a resource unless somebody holds it."""
        handle = locked_if_free(self._lock_path(sha256))
        if handle is None:
            return False
        try:
            self._remove(sha256)
            self._lock_path(sha256).unlink(missing_ok=True)
        finally:
            os.close(handle)
        with self._lock:
            self._recent.pop(sha256, None)
        _log.info("resource_evicted", hash=sha256)
        return True

    def _remove(self, sha256: str) -> None:
        """Renamed first: an entry that is half removed must not look complete."""
        (self._root / "parts" / sha256).unlink(missing_ok=True)
        if self._folder(sha256).exists():
            gone = Path(tempfile.mkdtemp(dir=self._root / "gone")) / sha256
            os.replace(self._folder(sha256), gone)
            shutil.rmtree(gone.parent, ignore_errors=True)

    def _lock_path(self, sha256: str) -> Path:
        return self._root / "locks" / sha256

    def _folder(self, sha256: str) -> Path:
        return self._root / "entries" / sha256[:2] / sha256

    def _has_blob(self, sha256: str) -> bool:
        return (self._folder(sha256) / "blob").exists()

    def _has_tree(self, sha256: str) -> bool:
        return (self._folder(sha256) / "tree").exists()

    def _has_bundle(self, sha256: str) -> bool:
        return (self._folder(sha256) / "manifest.json").exists()


RESUMES_MAX = 20
"""Times that one fetch continues a broken download, as long as each try brings something."""


def _check_hash(sha256: str) -> None:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ResourceDamaged(f"{sha256[:80]!r} is not a SHA-256 in hex; the scheduler sent a bad lease.")


def _size(folder: Path) -> int:
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
