"""Immutable resources by SHA-256 on this machine's disk: fetched once, verified, shared by slots and by workers.

One folder per hash (`cache_folder`) holds the file (`blob`), the names it is known under (`named/`), or the content of
an archive or of a bundle (`tree/`). A lock file per hash makes it safe across threads and processes: whoever fetches
holds it exclusively, whoever uses the entry holds it shared.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scheduler.protocol.bundles import read_bundle
from worker.cache_folder import CacheFolder, size_of
from worker.fetching import Download, FetchCancelled, ResourceDamaged, fetch
from worker.locks import LOCK_POLL_S, LockCancelled, locked_if_free, locked_shared

BLOB, TREE, MANIFEST = "blob", "tree", "manifest.json"
"""What lies in the folder of an entry that is complete: the file; an archive's content; a bundle's manifest."""

Extract = Callable[[Path, Path, Callable[[], bool]], object]
"""(archive, folder to fill, was it cancelled?), as `worker.archive.extract`."""


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
        self.folder = CacheFolder(root, bytes_max)
        self._download, self._extract = download, extract

    def file(self, sha256: str, name: str, cancelled: threading.Event) -> Entry:
        """The resource as a file called `name` (renderers go by endings), at a path that stays the same.

        Raises:
            FetchCancelled, ResourceDamaged, worker.answers.CallFailed, OSError.
        """
        handle = self._ensure(sha256, BLOB, cancelled, self._install_blob)
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
        handle = self._ensure(sha256, TREE, cancelled, self._install_tree)
        return Entry(self.folder.entry(sha256) / TREE, handle)

    def bundle(self, sha256: str, cancelled: threading.Event) -> Entry:
        """The bundle's manifest, with all its files beside it in the folder `tree`; files it shares are fetched once.

        Raises:
            As `file`, and UnsafeBundle for a manifest that the scheduler should not have taken.
        """
        handle = self._ensure(sha256, MANIFEST, cancelled, self._install_bundle)
        return Entry(self.folder.entry(sha256) / MANIFEST, handle)

    def _ensure(
        self,
        sha256: str,
        mark: str,
        cancelled: threading.Event,
        install: Callable[[str, threading.Event], None],
    ) -> int:
        """A shared lock on an entry that is complete: `mark` is in it. Else installs it first, under an exclusive one.

        The exclusive lock is tried, never waited for: whoever else installs the entry may go on to use it for hours.
        """
        _check_hash(sha256)
        complete = self.folder.entry(sha256) / mark
        while True:
            handle = self._shared(sha256, cancelled)
            if complete.exists():
                self.folder.touch(sha256)
                return handle
            os.close(handle)
            exclusive = locked_if_free(self.folder.lock(sha256))
            if exclusive is None:
                if cancelled.wait(LOCK_POLL_S):
                    raise FetchCancelled
                continue
            try:
                if not complete.exists():
                    self.folder.make_room()
                    install(sha256, cancelled)
            finally:
                os.close(exclusive)

    def _shared(self, sha256: str, cancelled: threading.Event) -> int:
        try:
            return locked_shared(self.folder.lock(sha256), cancelled)
        except LockCancelled as error:
            raise FetchCancelled from error

    def _install_blob(self, sha256: str, cancelled: threading.Event) -> None:
        part = self._fetch(sha256, cancelled)
        part.chmod(0o444)  # it is known by its content: nobody may change it
        folder = self.folder.entry(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder.count(part.stat().st_size)
        os.replace(part, folder / BLOB)

    def _install_tree(self, sha256: str, cancelled: threading.Event) -> None:
        folder = self.folder.entry(sha256)
        had = (folder / BLOB).exists()
        archive = folder / BLOB if had else self._fetch(sha256, cancelled)
        folder.mkdir(parents=True, exist_ok=True)
        with _filled(folder / "tree.new") as new:
            self._extract(archive, new, cancelled.is_set)
        self.folder.count(size_of(new))
        os.replace(new, folder / TREE)
        if not had:
            archive.unlink()

    def _install_bundle(self, sha256: str, cancelled: threading.Event) -> None:
        """The manifest comes last: with it the bundle counts as complete."""
        folder = self.folder.entry(sha256)
        manifest = self._fetch(sha256, cancelled)
        bundle = read_bundle(manifest.read_bytes())
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / TREE, ignore_errors=True)
        with _filled(folder / "tree.new") as new:
            for place, digest in bundle.files.items():
                self._lay_out(digest, new / place, cancelled)
        os.replace(new, folder / TREE)
        os.replace(manifest, folder / MANIFEST)

    def _lay_out(self, sha256: str, path: Path, cancelled: threading.Event) -> None:
        """A file of the cache at a further path: the same bytes on the disk, which stay when the file is evicted."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._ensure(sha256, BLOB, cancelled, self._install_blob)
        try:
            try:
                os.link(self.folder.entry(sha256) / BLOB, path)
            except OSError:  # a file system without hard links, or with too many of this file
                shutil.copyfile(self.folder.entry(sha256) / BLOB, path)
                self.folder.count(path.stat().st_size)
        finally:
            os.close(handle)

    def _fetch(self, sha256: str, cancelled: threading.Event) -> Path:
        part = self.folder.part(sha256)
        fetch(self._download, sha256, part, cancelled)
        return part

    def _named(self, sha256: str, name: str) -> Path:
        """The file under a name, in a folder of its own so that two names never meet."""
        folder = self.folder.entry(sha256)
        place = folder / "named"
        place.mkdir(exist_ok=True)
        path = place / name
        if not path.exists():
            temporary = place / f".{os.getpid()}.{threading.get_ident()}"
            try:
                os.link(folder / BLOB, temporary)
            except OSError:
                temporary.symlink_to(folder / BLOB)
            os.replace(temporary, path)
            temporary.unlink(missing_ok=True)  # rename of a link onto its own file leaves both
        return path


@contextmanager
def _filled(folder: Path) -> Iterator[Path]:
    """A new folder to be filled; what fails leaves nothing of it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_hash(sha256: str) -> None:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ResourceDamaged(f"{sha256[:80]!r} is not a SHA-256 in hex; the scheduler sent a bad lease.")
