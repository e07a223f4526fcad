"""From a valid payload to a job that can be stored: the scene looked at, the output resolved, the frames counted.

Reads the disk (scene, output folder) but writes nothing; whatever is refused here has changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from scheduler.domain.frames import previews_first
from scheduler.domain.splitting import SplitRequest, task_count
from scheduler.errors import Refused
from scheduler.protocol.bundles import MANIFEST_BYTES_MAX, UnsafeBundle, read_bundle
from scheduler.protocol.renderers import RENDERERS, RendererInfo
from scheduler.protocol.submission import NewJob
from scheduler.routing.route import HOME_POOL
from scheduler.scenes.archive import inspect
from scheduler.scenes.intake import look_at_scene
from scheduler.scenes.outputs import resolve_output
from scheduler.service.farm import job_number
from scheduler.service.placing import file_hash
from scheduler.service.validating import frames_or_refuse, validate_settings
from scheduler.settings import Settings
from scheduler.store.blobs import BlobStore, is_hash

BLOB_PREFIX = "blob:"
ARCHIVE_PREFIX = "archive:"
BUNDLE_PREFIX = "bundle:"
DEFAULT_FORMAT = "png"


@dataclass(frozen=True)
class PreparedJob:
    """Everything that a job's rows need."""

    payload: NewJob
    renderer: str
    frames: tuple[int, ...]
    format: str
    settings: dict[str, Any]
    scene: dict[str, Any]
    output: str | None
    split: SplitRequest
    needs: tuple[int, ...]
    blobs: tuple[str, ...] = ()
    """Blobs of a bundle, which are in use from now on."""


@dataclass(frozen=True)
class SceneChoice:
    """Where the scene is, as the wire's `Scene` will say it, and which renderer it asks for."""

    renderer: str
    scene: dict[str, Any]
    folder: Path | None = None
    blobs: tuple[str, ...] = ()


def prepare_job(
    payload: NewJob, settings: Settings, blobs: BlobStore, *, archive: str | None = None, sketch: bool = False
) -> PreparedJob:
    """Check everything that can be checked without the database.

    `archive` is the blob of an uploaded zip; then `payload.scene` may name the scene's path inside it. A `sketch` may
    leave out a scene that its renderer needs: an artist asks what would become of it before anything is sent.

    Raises:
        Refused: with a code and a hint for whatever is wrong.
    """
    if sketch and payload.scene is None and payload.renderer in RENDERERS:
        choice = SceneChoice(payload.renderer, {})
    else:
        choice = _scene(payload, settings, blobs, archive)
    info = RENDERERS[choice.renderer]
    chosen_format = _format(payload, info)
    frames = frames_or_refuse(payload.frames or "1", frames_max=settings.limits.frames_per_job_max)
    split = _split(payload, info, frames, settings)
    own_settings = validate_settings(choice.renderer, payload.settings).model_dump(exclude_none=True, mode="json")
    output = None
    if payload.output is not None:
        output = str(resolve_output(payload.output, output_roots(settings, choice.folder), chosen_format, len(frames)))
    return PreparedJob(
        payload=payload,
        renderer=choice.renderer,
        frames=split.frames,
        format=chosen_format,
        settings=own_settings,
        scene=choice.scene,
        output=output,
        split=split,
        needs=_dependencies(payload.depends_on),
        blobs=choice.blobs,
    )


def output_roots(settings: Settings, scene_folder: Path | None) -> tuple[Path, ...]:
    """Where frames may be published: the set roots, or the farm user's home and the submitted scene's folder."""
    if settings.server.output_roots:
        return settings.server.output_roots
    return (Path.home(), scene_folder) if scene_folder is not None else (Path.home(),)


def _scene(payload: NewJob, settings: Settings, blobs: BlobStore, archive: str | None) -> SceneChoice:
    if payload.renderer is not None and payload.renderer not in RENDERERS:
        raise Refused(
            f"There is no renderer {payload.renderer!r} on this farm.",
            code="unknown_renderer",
            hint=f"Renderers: {', '.join(RENDERERS)}.",
            details={"field": "renderer"},
        )
    if archive is not None:
        return _archive_scene(payload, settings, blobs, archive, payload.scene)
    if payload.scene is None:
        return _without_scene(payload)
    if payload.scene.startswith(ARCHIVE_PREFIX):
        digest, _, inside = payload.scene.removeprefix(ARCHIVE_PREFIX).partition("/")
        _must_be_here(digest, blobs)
        return _archive_scene(payload, settings, blobs, digest, inside or None)
    if payload.scene.startswith(BLOB_PREFIX):
        return _blob_scene(payload, settings, blobs)
    if payload.scene.startswith(BUNDLE_PREFIX):
        return _bundle_scene(payload, settings, blobs)
    return _file_scene(payload, settings)


def _without_scene(payload: NewJob) -> SceneChoice:
    renderer = payload.renderer or "kernel"
    if RENDERERS[renderer].scene == "required":
        raise Refused(
            f"{RENDERERS[renderer].title} needs a scene.",
            code="scene_missing",
            details={"field": "scene"},
            hint="Give the path of a scene that the workers can see, or upload it with PUT /blobs/{hash}.",
        )
    return SceneChoice(renderer, {})


def _must_be_here(digest: str, blobs: BlobStore) -> None:
    if not is_hash(digest) or not blobs.has(digest):
        raise Refused(
            "The scene's blob is not on this farm.",
            code="scene_missing",
            details={"field": "scene"},
            hint="Upload it first with PUT /blobs/{its SHA-256}.",
        )


def _archive_scene(
    payload: NewJob, settings: Settings, blobs: BlobStore, archive: str, inside: str | None
) -> SceneChoice:
    facts = inspect(blobs.path(archive), scene=inside, renderer=payload.renderer)
    scene: dict[str, Any] = {"archive": archive, "name": facts.scene, "blob_size": _size(blobs, archive)}
    return SceneChoice(facts.renderer, scene | _version(facts.version) | _trust(archive, settings))


def _blob_scene(payload: NewJob, settings: Settings, blobs: BlobStore) -> SceneChoice:
    digest, _, name = (payload.scene or "").removeprefix(BLOB_PREFIX).partition("/")
    _must_be_here(digest, blobs)
    facts = look_at_scene(blobs.path(digest), payload.renderer, name=name or None)
    scene: dict[str, Any] = {"blob": digest, "name": name or f"scene{facts.ending}", "blob_size": _size(blobs, digest)}
    return SceneChoice(facts.renderer, scene | _version(facts.version) | _trust(digest, settings))


def _bundle_scene(payload: NewJob, settings: Settings, blobs: BlobStore) -> SceneChoice:
    digest = (payload.scene or "").removeprefix(BUNDLE_PREFIX)
    if not is_hash(digest) or not blobs.has(digest):
        raise _bundle_incomplete([digest])
    try:
        with blobs.path(digest).open("rb") as file:
            bundle = read_bundle(file.read(MANIFEST_BYTES_MAX + 1))
    except UnsafeBundle as error:
        hint = "Submit again with an add-on of this farm's version."
        raise Refused(error.message, code=error.code, hint=hint, details={"field": "scene"}) from error
    content = sorted(set(bundle.files.values()))
    missing = [each for each in content if not blobs.has(each)]
    if missing:
        raise _bundle_incomplete(missing)
    scene_file = blobs.path(bundle.files[bundle.scene])
    facts = look_at_scene(scene_file, payload.renderer, name=PurePosixPath(bundle.scene).name)
    size = sum(_size(blobs, each) for each in content)
    scene: dict[str, Any] = {"bundle": digest, "name": bundle.scene, "blob_size": size}
    return SceneChoice(
        facts.renderer, scene | _version(facts.version) | _trust(digest, settings), blobs=(digest, *content)
    )


def _bundle_incomplete(missing: list[str]) -> Refused:
    return Refused(
        f"{len(missing)} files of the scene's bundle are not on this farm yet.",
        code="bundle_incomplete",
        details={"field": "scene", "missing": missing},
        hint="Upload each with PUT /blobs/{its SHA-256}, then submit again.",
    )


def _file_scene(payload: NewJob, settings: Settings) -> SceneChoice:
    path = Path(payload.scene or "")
    if not path.is_absolute():
        raise Refused(
            "scene: the path must be absolute.",
            code="scene_not_absolute",
            details={"field": "scene"},
            hint="Give the whole path, as the workers see it.",
        )
    facts = look_at_scene(path, payload.renderer)
    scene = {"path": str(path)} | _version(facts.version)
    if settings.server.trusted_scenes:
        scene |= _trust(file_hash(path), settings)
    return SceneChoice(facts.renderer, scene, path.parent)


def _version(version: str) -> dict[str, Any]:
    return {"version": version} if version else {}


def _trust(digest: str, settings: Settings) -> dict[str, Any]:
    """A scene's own scripts run only where the farm's settings name the file's hash."""
    return {"trusted": True} if digest in settings.server.trusted_scenes else {}


def _size(blobs: BlobStore, digest: str) -> int:
    return blobs.size(digest)


def _format(payload: NewJob, info: RendererInfo) -> str:
    ending = Path(payload.output).suffix.lower().lstrip(".") if payload.output else ""
    ending = {"jpeg": "jpg"}.get(ending, ending)
    chosen = payload.format or (ending if ending in info.formats else DEFAULT_FORMAT)
    if chosen not in info.formats:
        raise Refused(f"{info.title} does not write {chosen}.", code="invalid_format", details={"field": "format"})
    return chosen


def _split(payload: NewJob, info: RendererInfo, frames: tuple[int, ...], settings: Settings) -> SplitRequest:
    split = payload.split
    tiles = split.tiles if split else None
    samples = split.samples if split else None
    if tiles is not None and min(tiles) < 1:
        raise Refused("split.tiles: at least one column and one row.", code="invalid_field", details={"field": "split"})
    ordered = previews_first(frames) if payload.preview_first else frames
    request = SplitRequest(ordered, payload.chunk, tiles, samples)
    limits = settings.limits
    if request.parts_per_frame > 1 and payload.chunk > 1:
        raise Refused(
            "A frame that is split cannot be chunked with others.",
            code="invalid_split",
            details={"field": "chunk"},
            hint="Leave out chunk, or leave out split.",
        )
    if (tiles and tiles != (1, 1) and not info.tiles) or (samples and samples > 1 and not info.samples):
        why = f"{info.title} cannot be split like that. {info.whole}".rstrip()
        raise Refused(why, code="invalid_split", details={"field": "split"}, hint="Leave out split.")
    if request.parts_per_frame > limits.parts_per_frame_max:
        raise Refused(
            f"{request.parts_per_frame} parts per frame are too many; this farm takes {limits.parts_per_frame_max}.",
            code="too_many_parts",
            details={"field": "split"},
        )
    if task_count(request) > limits.tasks_per_job_max:
        raise Refused(
            f"The job would have {task_count(request)} tasks; this farm takes {limits.tasks_per_job_max} in one job.",
            code="too_many_tasks",
            details={"field": "frames"},
            hint="Send fewer frames, or a larger chunk.",
        )
    return request


def _dependencies(texts: list[str]) -> tuple[int, ...]:
    numbers: set[int] = set()
    for text in texts:
        number = job_number(text)
        if number is None:
            raise Refused(
                f"depends_on: {text!r} is no jobID.", code="dependency_unknown", details={"field": "depends_on"}
            )
        numbers.add(number)
    return tuple(sorted(numbers))


def pools_or_refuse(pools: list[str] | None, settings: Settings) -> list[str]:
    """The pools that a job or a worker names.

    Raises:
        Refused: a pool that this farm does not have.
    """
    known = list(dict.fromkeys([HOME_POOL, *settings.pools]))
    for pool in pools or []:
        if pool not in known:
            raise Refused(
                f"This farm has no pool {pool!r}.",
                code="pool_unknown",
                details={"field": "pools"},
                hint=f"Pools: {', '.join(known)}.",
            )
    return pools or []
