"""What is handed over with a job: the submission for the other farm, and the files that it needs there.

A scene that the other farm sees under a path of its own (`paths`) goes by that path. Any other file is taken into the
farm's storage first, so that what is rendered is the scene as it was when the job left, and goes along by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from scheduler.domain.wishes import effective_deadline
from scheduler.errors import Refused
from scheduler.protocol.bundles import UnsafeBundle, read_bundle
from scheduler.protocol.submission import HOPS_MAX
from scheduler.service.farm import iso
from scheduler.service.preparing import ARCHIVE_PREFIX, BLOB_PREFIX, BUNDLE_PREFIX
from scheduler.settings import LimitSettings, SitePool
from scheduler.store.blobs import CHUNK_BYTES, BlobStore
from scheduler.store.tables import Job

STUDIO_TRACKING = ("project", "sequence", "shot")
"""Tracking fields that go to a farm outside the house: what its rules and shares may need, and no more."""

AS_SUBMITTED = ("chunk", "split", "settings", "requires", "max_attempts", "timeout_s", "preview_first")
"""Fields of the artist's submission that go along as they are."""


@dataclass(frozen=True)
class Packed:
    """A submission for another farm, and the files that it names."""

    payload: dict[str, Any]
    manifest: list[dict[str, Any]]


@dataclass(frozen=True)
class Sender:
    """This farm, as the other one is told of it."""

    farm_id: str
    name: str


def pack(job: Job, frames: str, sender: Sender, settings: SitePool, blobs: BlobStore, limits: LimitSettings) -> Packed:
    """Make the submission. Reads and copies files: not for the event loop's thread.

    Raises:
        Refused: the scene is not here any more, or the job came through too many farms.
        Unavailable: the disk is full.
    """
    hops = [*job.payload.get("hops", ()), sender.farm_id]
    if len(hops) > HOPS_MAX:
        raise Refused(f"The job came through {HOPS_MAX} farms already.", code="too_many_hops")
    scene, files = _scene(job.scene, settings, blobs, limits)
    payload = {key: job.payload[key] for key in AS_SUBMITTED if job.payload.get(key) is not None}
    payload |= {
        "name": job.name,
        "renderer": job.renderer,
        "frames": frames,
        "format": job.format,
        "deadline": iso(effective_deadline(job.deadline, job.tracked_deadline)),
        "tracking": _tracking(job.tracking, settings),
        "cloud": job.cloud if settings.onward else "never",
        "metadata": _metadata(job, sender, settings),
        "hops": hops,
        "paused": True,
    }
    if job.cost_cap_usd is not None:
        # A farm that does not know the field refuses the job, and it stays: a cap is never dropped on the way.
        payload["cost_cap_usd"] = job.cost_cap_usd
    return Packed(payload | ({"scene": scene} if scene else {}), files)


def _scene(
    scene: Mapping[str, Any], settings: SitePool, blobs: BlobStore, limits: LimitSettings
) -> tuple[str | None, list[dict[str, Any]]]:
    """The scene as the other farm finds it, and the files to be sent ahead."""
    if path := scene.get("path"):
        there = mapped(path, settings.paths)
        if there is not None:
            return there, []
        digest, size = _take_in(Path(path), blobs, limits)
        return _named(BLOB_PREFIX, digest, size, PurePath(path).name)
    if bundle := scene.get("bundle"):
        return f"{BUNDLE_PREFIX}{bundle}", _bundled(bundle, blobs)
    if archive := scene.get("archive"):
        return _named(ARCHIVE_PREFIX, archive, scene.get("blob_size", 0), scene.get("name", ""))
    if blob := scene.get("blob"):
        return _named(BLOB_PREFIX, blob, scene.get("blob_size", 0), scene.get("name", ""))
    return None, []


def _bundled(bundle: str, blobs: BlobStore) -> list[dict[str, Any]]:
    """Every file of a bundle, and at last the manifest that names them."""
    try:
        found = read_bundle(blobs.path(bundle).read_bytes())
        names = {digest: PurePath(place).name for place, digest in sorted(found.files.items(), reverse=True)}
        manifest = [{"hash": digest, "size": blobs.size(digest), "name": name} for digest, name in names.items()]
        return [*manifest, {"hash": bundle, "size": blobs.size(bundle), "name": "bundle.json"}]
    except (FileNotFoundError, UnsafeBundle) as error:
        raise Refused("The scene's bundle is not whole on this farm any more.", code="scene_missing") from error


def _named(prefix: str, digest: str, size: int, name: str) -> tuple[str, list[dict[str, Any]]]:
    return f"{prefix}{digest}/{name}", [{"hash": digest, "size": size, "name": name}]


def mapped(path: str, paths: Mapping[str, str]) -> str | None:
    """The path of a file there, by the longest folder here that it lies in; None: that farm does not see it."""
    here = PurePath(path)
    for folder in sorted(paths, key=lambda folder: -len(PurePath(folder).parts)):
        if here.is_relative_to(folder) and ".." not in here.parts:
            rest = here.relative_to(folder).as_posix()
            return f"{paths[folder].rstrip('/')}/{rest}"
    return None


def _take_in(path: Path, blobs: BlobStore, limits: LimitSettings) -> tuple[str, int]:
    """Copy a file into the farm's storage; its SHA-256 and size."""
    incoming = blobs.incoming(size_max=limits.blob_max_bytes, free_min=limits.free_min_bytes)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                incoming.write(chunk)
        digest = incoming.finish()
    except OSError as error:
        incoming.abandon()
        raise Refused(f"The scene {path} cannot be read any more: {error.strerror}.", code="scene_missing") from error
    except BaseException:
        incoming.abandon()
        raise
    blobs.adopt(incoming.path, digest)
    return digest, incoming.size


def _tracking(tracking: Mapping[str, Any], settings: SitePool) -> dict[str, Any]:
    if settings.tracking is None and settings.is_house:
        return dict(tracking)
    wanted = STUDIO_TRACKING if settings.tracking is None else settings.tracking
    return {field: tracking[field] for field in wanted if field in tracking}


def _metadata(job: Job, sender: Sender, settings: SitePool) -> dict[str, Any]:
    """Where it comes from; the artist's own notes only within the house."""
    own = job.extra if settings.is_house else {}
    return {**own, "from": {"farm": sender.name, "jobID": f"{job.id:05d}", "user": job.owner}}
