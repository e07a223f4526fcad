"""The `kernel` renderer: turns leases into frames or partials with `engine`, and every failure into plain words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec
from pydantic import ValidationError

from scheduler.protocol.renderers import Format, KernelSettings
from scheduler.protocol.work import Lease
from worker.runners.base import Produced, RenderCancelled, RenderFailed, Reporter, Work
from worker.runners.kernel.blocks import Crew

if TYPE_CHECKING:
    import numpy as np

    from kernels.coverage import Part
    from kernels.film import Film
    from worker.runners.kernel.engine import Exposure
    from worker.runners.kernel.partial_file import PartialHeader
    from worker.runners.kernel.stage import MeshShelf, Stage

MESHES_KEPT = 4
JPEG_SIDE_MAX = 65_500
"""libjpeg's own limit, in pixels."""
DISTRIBUTION = "outfield"
CHECKPOINT_NAME = "checkpoint.partial"


def frame_name(frame: int, ending: str) -> str:
    """File name of a frame: `0001.png`, `-0005.exr`."""
    return f"{'-' if frame < 0 else ''}{abs(frame):04d}.{ending}"


class KernelRunner:
    """Renders with Numba in this process; `version` is Outfield's own, written into every frame."""

    name = "kernel"

    def __init__(self, version: str | None = None, *, meshes_kept: int = MESHES_KEPT) -> None:
        self.version = version or metadata.version(DISTRIBUTION)
        self._meshes_kept = meshes_kept
        self._crew = Crew()
        self._shelf: MeshShelf | None = None

    def versions(self) -> dict[str, Any]:
        """Always available: the kernels come with the worker."""
        found = {package: metadata.version(package) for package in ("numba", "numpy", "trimesh")}
        return {"versions": [self.version], **found}

    def warm(self) -> list[str]:
        """Jobs whose mesh is in memory, with its hierarchy."""
        return self._shelf.jobs() if self._shelf is not None else []

    def warm_up(self) -> None:
        """Compiles the kernels, or loads them from Numba's cache, so that the first task need not."""
        from worker.runners.kernel.engine import warm_up

        warm_up()

    def get_ready(self) -> None:
        """Nothing to prepare."""

    def forget(self, job: str) -> None:
        """Lets go of the meshes that a job has used."""
        if self._shelf is not None:
            self._shelf.drop(job)

    def close(self) -> None:
        """Ends the threads and forgets the meshes."""
        self._crew.close()
        self._shelf = None

    def run(self, work: Work, reporter: Reporter) -> list[Produced]:
        """Renders the lease's frames or its part of a frame, or merges its inputs."""
        with _plain_words(work.lease):
            settings = _settings(work.lease)
            form = _format(work.lease, settings)
            if work.lease.kind == "merge":
                return [self._merge(work, settings, form, reporter)]
            stage = self._stage(work)
            if work.lease.partial:
                return [self._render_partial(work, settings, stage, reporter)]
            return self._render_frames(work, settings, form, stage, reporter)

    def _stage(self, work: Work) -> Stage:
        from worker.runners.kernel.stage import MeshShelf, Spheres

        if work.scene_path is None:
            return Spheres()
        if self._shelf is None:
            self._shelf = MeshShelf(self._meshes_kept)
        return self._shelf.get(work.scene_path, work.lease.job)

    def _render_frames(
        self, work: Work, settings: KernelSettings, form: Format, stage: Stage, reporter: Reporter
    ) -> list[Produced]:
        from kernels.film import linear_picture
        from worker.runners.kernel.engine import whole_part

        lease = work.lease
        if lease.tile is not None or lease.slice is not None:
            raise RenderFailed("The task is a part of a frame, but its lease asks for the whole frame.", "infra")
        produced: list[Produced] = []
        for number, frame in enumerate(lease.frames):
            film = self._exposed(work, settings, stage, whole_part(settings), reporter, number).film
            produced.append(self._write(work, settings, form, frame, linear_picture(film), film))
            reporter.progress((number + 1) / len(lease.frames), f"frame {frame} written")
        return produced

    def _render_partial(self, work: Work, settings: KernelSettings, stage: Stage, reporter: Reporter) -> Produced:
        from worker.runners.kernel.engine import leased_part

        if len(work.lease.frames) != 1:
            raise RenderFailed("A part of a frame must name exactly one frame.", "infra")
        part = leased_part(settings, work.lease.tile, work.lease.slice)
        exposure = self._exposed(work, settings, stage, part, reporter, 0)
        return _write_partial(work, _header(work.lease, settings, exposure), exposure.film)

    def _exposed(
        self, work: Work, settings: KernelSettings, stage: Stage, part: Part, reporter: Reporter, number: int
    ) -> Exposure:
        """Frame `number` of the lease, or a part of it, reporting progress over all its frames.

        Goes on from what an earlier attempt has saved; where it is stopped and asked to keep what it has, it does.
        """
        from worker.runners.kernel.engine import Job, expose
        from worker.runners.kernel.rough import rough_picture

        frames = work.lease.frames
        note = f"frame {frames[number]}"

        def progress(done: int, total: int) -> None:
            reporter.progress((number + done / total) / len(frames), note)

        def look(film: Film) -> None:
            if reporter.picture.due():
                reporter.picture.show(rough_picture(film, part, reporter.picture.side_px))

        exposure = _begun(work, settings, part, stage.channels, reporter)
        job = Job(self._crew, max(work.threads, 1), reporter.cancelled, progress, look)
        try:
            expose(stage, stage.view(settings, frames[number]), exposure, job)
        except RenderCancelled as stopped:
            if reporter.keep.is_set() and exposure.done and len(frames) == 1:
                raise RenderCancelled(_write_checkpoint(work, settings, exposure)) from stopped
            raise
        return exposure

    def _merge(self, work: Work, settings: KernelSettings, form: Format, reporter: Reporter) -> Produced:
        from worker.runners.kernel.engine import MergeFailed, expected_frame, merge_partials, whole_picture

        def progress(done: int, total: int) -> None:
            reporter.progress(done / total, f"{done} of {total} parts merged")

        header, film = merge_partials([item.path for item in work.inputs], reporter.cancelled, progress)
        if work.lease.frames and not expected_frame(header, settings, work.lease.frames[0]):
            raise MergeFailed("The partials belong to another frame, size or sample count than this task.")
        if not work.lease.final:
            return _write_partial(work, header, film)
        return self._write(work, settings, form, header.frame, whole_picture(header, film), film)

    def _write(
        self, work: Work, settings: KernelSettings, form: Format, frame: int, picture: np.ndarray, film: Film
    ) -> Produced:
        """Writes a frame and says what is in it."""
        from kernels.film import noise
        from worker.runners.kernel.images import ImageStyle, Metadata, write_image
        from worker.runners.kernel.stage import samples_per_pixel

        facts: Metadata = {"frame": frame, "samples": samples_per_pixel(settings), "seed": settings.seed}
        path = work.scratch / frame_name(frame, form)
        written: Metadata = {"software": f"Outfield {self.version}", "job": work.lease.name, **facts}
        write_image(path, picture, form, ImageStyle(settings.quality, settings.depth), written)
        meta: dict[str, Any] = {**facts, "width": settings.width, "height": settings.height}
        meta |= {"mean": float(picture.mean(dtype="float64")), "noise": noise(film)}
        return Produced(path, "frame", frame, meta)


def _write_partial(work: Work, header: PartialHeader, film: Film) -> Produced:
    from worker.runners.kernel.partial_file import write_partial

    path = work.scratch / frame_name(header.frame, "partial")
    write_partial(path, header, film)
    meta: dict[str, Any] = {
        "rect": list(header.rect),
        "width": header.width,
        "height": header.height,
        "samples": header.samples,
        "pixel_samples": int(film.counts.sum(dtype="int64")),
        "recipe": header.recipe,
    }
    return Produced(path, "partial", header.frame, meta)


def _header(lease: Lease, settings: KernelSettings, exposure: Exposure) -> PartialHeader:
    from worker.runners.kernel.engine import partial_header

    return partial_header(settings, _recipe(lease, settings), lease.frames[0], exposure)


def _begun(work: Work, settings: KernelSettings, part: Part, channels: int, reporter: Reporter) -> Exposure:
    """A new exposure, or what an earlier attempt has saved; what cannot be used is said in the log, and costs nothing.

    Only a task of one frame is ever saved.
    """
    from worker.runners.kernel.engine import MergeFailed, taken_up, unexposed
    from worker.runners.kernel.partial_file import BrokenPartial

    new = unexposed(part, channels)
    if work.resume is None:
        return new
    try:
        exposure = taken_up(work.resume, _header(work.lease, settings, new), part)
    except (BrokenPartial, MergeFailed, OSError) as error:
        reporter.log(f"What an earlier attempt has saved cannot be used; the task begins anew. {error}")
        return new
    share = sum(box.volume for box in exposure.done) / max(part.volume, 1)
    reporter.log(f"An earlier attempt has saved {share:.0%} of the task; this one does the rest.")
    return exposure


def _write_checkpoint(work: Work, settings: KernelSettings, exposure: Exposure) -> Produced:
    from worker.runners.kernel.partial_file import write_partial

    path = work.scratch / CHECKPOINT_NAME
    write_partial(path, _header(work.lease, settings, exposure), exposure.film)
    done = sum(box.volume for box in exposure.done) / max(exposure.part.volume, 1)
    return Produced(path, "checkpoint", work.lease.frames[0], {"done": round(done, 4)})


def _settings(lease: Lease) -> KernelSettings:
    try:
        return KernelSettings.model_validate(lease.settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc']) or 'settings'}: {e['msg']}" for e in error.errors())
        raise RenderFailed(f"The settings cannot be used: {faults}. Correct them and submit again.") from error


def _format(lease: Lease, settings: KernelSettings) -> Format:
    if lease.format not in get_args(Format):
        raise RenderFailed(f"The kernel renderer writes {', '.join(get_args(Format))}, not {lease.format!r}.")
    if lease.format == "jpg" and max(settings.width, settings.height) > JPEG_SIDE_MAX:
        raise RenderFailed(f"A JPEG has at most {JPEG_SIDE_MAX} pixels a side. Choose png or exr.")
    return cast(Format, lease.format)


def _recipe(lease: Lease, settings: KernelSettings) -> str:
    """A hash of everything that decides a frame's pixels, so that parts of different frames are never mixed."""
    ingredients = [settings.model_dump(mode="json"), lease.frames, msgspec.to_builtins(lease.scene)]
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


@contextmanager
def _plain_words(lease: Lease) -> Iterator[None]:
    """Turns what can go wrong with scenes, cameras, partials and disks into `RenderFailed`."""
    from kernels.camera import BadCamera
    from worker.runners.kernel.engine import MergeFailed
    from worker.runners.kernel.mesh_file import BadMesh
    from worker.runners.kernel.partial_file import BrokenPartial

    try:
        yield
    except (RenderFailed, RenderCancelled):
        raise
    except (BadMesh, BadCamera) as error:
        raise RenderFailed(str(error), "user") from error
    except (BrokenPartial, MergeFailed) as error:
        raise RenderFailed(f"Merging {lease.name or 'the frame'} failed. {error}", "infra") from error
    except MemoryError as error:
        raise RenderFailed("The worker has too little memory for this frame. Use smaller tiles.", "infra") from error
    except OSError as error:
        path = Path(error.filename).name if error.filename else "a file"
        raise RenderFailed(f"The worker cannot read or write {path}: {error.strerror}.", "infra") from error
