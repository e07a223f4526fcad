"""What a lease needs on this machine before it can run: its scene and the partials that a merge reads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scheduler.protocol.work import Lease, Scene
from worker.answers import Refused
from worker.cache import Entry, ResourceCache
from worker.fetching import ResourceDamaged
from worker.runners.base import InputFile, RenderFailed
from worker.telemetry import logger

_log = logger("resources")


@dataclass(frozen=True)
class Prepared:
    """The scene and the inputs as local files, which stay until `release`."""

    scene_path: Path | None
    manifest: Path | None
    """Of the bundle that the scene lies in; the bundle's files are beside it, in `tree`."""
    inputs: tuple[InputFile, ...]
    resume: Path | None
    entries: ExitStack

    def release(self) -> None:
        """The task has ended: the cache may evict them."""
        self.entries.close()


def prepare(lease: Lease, cache: ResourceCache, cancelled: threading.Event) -> Prepared:
    """Bring everything here.

    Raises:
        RenderFailed: the scene is not where it should be. Else as `ResourceCache.file`, `tree` and `bundle`.
    """
    with ExitStack() as entries:

        def keep(entry: Entry) -> Path:
            entries.callback(entry.release)
            return entry.path

        manifest = keep(cache.bundle(lease.scene.bundle, cancelled)) if lease.scene.bundle else None
        scene_path = (
            _inside(manifest.parent / "tree", lease.scene.name)
            if manifest is not None
            else _scene(lease.scene, cache, cancelled, keep)
        )
        inputs = tuple(InputFile(keep(cache.file(each.hash, each.name, cancelled)), each.meta) for each in lease.inputs)
        resume = _resume(lease, cache, cancelled, keep)
        return Prepared(scene_path, manifest, inputs, resume, entries.pop_all())


def fetches(lease: Lease) -> bool:
    """Does the lease need anything from the farm's storage?"""
    return bool(hashes(lease))


def hashes(lease: Lease) -> list[str]:
    """The resources in the farm's storage that the lease needs."""
    inputs = [each.hash for each in (*lease.inputs, *([lease.resume] if lease.resume else []))]
    return [each for each in (lease.scene.blob, lease.scene.archive, lease.scene.bundle, *inputs) if each]


def _resume(
    lease: Lease, cache: ResourceCache, cancelled: threading.Event, keep: Callable[[Entry], Path]
) -> Path | None:
    """The checkpoint of an earlier attempt. It saves time and is not needed: one that has gone is done without."""
    if lease.resume is None:
        return None
    try:
        return keep(cache.file(lease.resume.hash, lease.resume.name, cancelled))
    except (Refused, ResourceDamaged) as error:
        _log.warning("checkpoint_missing", task=lease.task, attempt=lease.attempt, reason=str(error))
        return None


def _scene(
    scene: Scene, cache: ResourceCache, cancelled: threading.Event, keep: Callable[[Entry], Path]
) -> Path | None:
    if scene.archive:
        tree = keep(cache.tree(scene.archive, cancelled))
        return _inside(tree, scene.name)
    if scene.blob:
        return keep(cache.file(scene.blob, scene.name, cancelled))
    return _visible(Path(scene.path)) if scene.path else None


def _inside(tree: Path, name: str) -> Path:
    """The scene in an extracted archive; its name must not lead out of it."""
    inner = PurePosixPath(name)
    path = tree / inner
    if inner.is_absolute() or ".." in inner.parts or not path.resolve().is_relative_to(tree.resolve()):
        raise RenderFailed(f"The scene's name {name!r} leads out of its archive. Submit it again.", "user")
    if not path.is_file():
        raise RenderFailed(f"There is no scene {name!r} in the archive. Submit it again.", "user")
    return path


def _visible(path: Path) -> Path:
    """A scene on shared storage. A missing folder is the machine's fault (not mounted), a missing file the artist's."""
    try:
        with path.open("rb"):
            return path
    except FileNotFoundError as error:
        if path.parent.is_dir():
            raise RenderFailed(f"The scene {path} does not exist. Check its name and submit again.", "user") from error
        raise RenderFailed(f"This worker does not see the folder {path.parent}. Mount it here.", "infra") from error
    except OSError as error:
        raise RenderFailed(f"This worker cannot read the scene {path}: {error.strerror}.", "infra") from error
