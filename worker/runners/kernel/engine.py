"""The part of the runner that needs the kernels: films from scenes, films from partials, pictures from films.

Imported with the first task and not before, because it loads Numba. It knows nothing of leases; `runner` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from kernels.coverage import Part, coalesced, joined, missing, overlap, remainder, slice_range, tile_rect
from kernels.film import Film, add_film, bounding_rect, count_samples, empty_film, linear_picture
from kernels.view import Block, View
from scheduler.protocol.renderers import KernelSettings
from scheduler.protocol.work import SampleSlice, Tile
from worker.runners.base import RenderCancelled
from worker.runners.kernel.blocks import BlockPlan, Crew, plan_blocks
from worker.runners.kernel.mesh_file import Triangles
from worker.runners.kernel.partial_file import PartialHeader, read_header, read_partial
from worker.runners.kernel.stage import Spheres, Stage, mesh_stage, samples_per_pixel

WARM_SIDE = 16


class MergeFailed(Exception):
    """Partials that do not make a whole, in words for the admin."""


@dataclass(frozen=True)
class Job:
    """How rendering goes on: which threads, when to stop, whom to tell (blocks done, blocks in all).

    `look` may take a look at the film after every block; its samples are counted at the end.
    """

    crew: Crew
    threads: int
    cancelled: threading.Event
    progress: Callable[[int, int], None]
    look: Callable[[Film], None] = lambda _film: None


@dataclass
class Exposure:
    """One part of a frame on its way: its film, and the boxes whose samples are all in it. Nothing else is in it."""

    part: Part
    film: Film
    done: tuple[Part, ...] = ()

    def add(self, boxes: Sequence[Part]) -> None:
        """The samples of these boxes are in the film now."""
        for box in boxes:
            count_samples(self.film, box)
        self.done = coalesced([*self.done, *boxes])


def unexposed(part: Part, channels: int) -> Exposure:
    """A part of which nothing is rendered yet."""
    return Exposure(part, empty_film(part[:4], channels))


def expose(stage: Stage, view: View, exposure: Exposure, job: Job) -> None:
    """Render what `exposure` lacks. Whatever ends it, the exposure then tells truly what is in its film.

    Raises:
        RenderCancelled: within one block's time.
    """
    sample_rays = view.directions.shape[2] + 1
    left = remainder(exposure.part, exposure.done)
    plans = [
        plan_blocks(box[:4], box.s1 - box.s0, sample_rays, rays_max=stage.rays_max, threads=job.threads) for box in left
    ]
    total, before = sum(plan.total for plan in plans), 0
    for box, plan in zip(left, plans, strict=True):
        _expose_box(_Shot(stage, view, exposure, job), box, plan, (before, total))
        before += plan.total


@dataclass(frozen=True)
class _Shot:
    stage: Stage
    view: View
    exposure: Exposure
    job: Job


def _expose_box(shot: _Shot, box: Part, plan: BlockPlan, progress: tuple[int, int]) -> None:
    """Render one box block by block. A block counts up to the last sample of it that was rendered."""
    exposure, job, (before, total) = shot.exposure, shot.job, progress
    reached: dict[int, int] = {}

    def render(number: int) -> None:
        x0, y0, x1, y1 = plan.block(number)
        for s0 in range(box.s0, box.s1, plan.samples_step):
            if job.cancelled.is_set():
                raise RenderCancelled
            s1 = min(s0 + plan.samples_step, box.s1)
            block = Block(exposure.part.x0, exposure.part.y0, x0, y0, x1, y1, s0, s1)
            shot.stage.render(exposure.film.sums, exposure.film.squares, block, shot.view)
            reached[number] = s1

    def taken(done: int) -> None:
        job.progress(before + done, total)
        job.look(exposure.film)

    try:
        job.crew.run(plan.total, render, threads=job.threads, done=taken)
    finally:
        exposure.add([Part(*plan.block(number), box.s0, s1) for number, s1 in reached.items()])


def render_film(stage: Stage, view: View, part: Part, job: Job) -> Film:
    """The film of one part of a frame. Raises `RenderCancelled` within one block's time."""
    exposure = unexposed(part, stage.channels)
    expose(stage, view, exposure, job)
    return exposure.film


def merge_partials(
    paths: Sequence[Path], cancelled: threading.Event, progress: Callable[[int, int], None]
) -> tuple[PartialHeader, Film]:
    """The sum of partials of one frame, read one after the other.

    Raises `MergeFailed` where they overlap or belong to different frames, `BrokenPartial` for damaged files.
    """
    headers = [read_header(path) for path in paths]
    if not headers:
        raise MergeFailed("There is nothing to merge: the task names no inputs.")
    first = headers[0]
    strangers = [path.name for path, header in zip(paths, headers, strict=True) if header.frame_key != first.frame_key]
    if strangers:
        raise MergeFailed(f"{strangers[0]} belongs to another frame or to other settings than {paths[0].name}.")
    parts = joined(Part(*part) for header in headers for part in header.parts)
    if (clash := overlap(parts)) is not None:
        raise MergeFailed(f"Two partials hold the same samples: {tuple(clash[0])} and {tuple(clash[1])}.")
    rects = [header.rect for header in headers if header.parts] or [first.rect]
    total = empty_film(bounding_rect(rects), first.channels)
    for number, (path, header) in enumerate(zip(paths, headers, strict=True)):
        if cancelled.is_set():
            raise RenderCancelled
        if header.parts:
            add_film(total, read_partial(path)[1])
        progress(number + 1, len(paths))
    return msgspec.structs.replace(first, rect=total.rect, parts=parts), total


def whole_picture(header: PartialHeader, film: Film) -> np.ndarray:
    """The linear picture of a film that must cover its frame. Raises `MergeFailed` with what is missing."""
    lacking = missing((Part(*part) for part in header.parts), header.width, header.height, header.samples)
    if lacking:
        whole = header.width * header.height * header.samples
        raise MergeFailed(f"{lacking} of {whole} pixel samples are missing: a tile or a slice was not handed in.")
    if not (film.counts == header.samples).all():
        raise MergeFailed("A partial holds fewer samples than it says; render the frame again.")
    return linear_picture(film)


def warm_up() -> None:
    """Compiles every kernel, or loads it from Numba's cache: thumbnails of the built-in scene and of one triangle."""
    corners = np.array([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    triangle = Triangles(corners, np.ones((1, 3), np.float32), np.zeros((1, 3), np.int32))
    settings = KernelSettings(width=WARM_SIDE, height=WARM_SIDE, subsamples=1, ao_samples=2)
    job = Job(Crew(), 1, threading.Event(), lambda _done, _total: None)
    for stage in (Spheres(), mesh_stage(triangle, "triangle")):
        render_film(stage, stage.view(settings, 0), Part(0, 0, WARM_SIDE, WARM_SIDE, 0, 1), job)


def whole_part(settings: KernelSettings) -> Part:
    """All pixels and samples of a frame."""
    return Part(0, 0, settings.width, settings.height, 0, samples_per_pixel(settings))


def leased_part(settings: KernelSettings, tile: Tile | None, slice_: SampleSlice | None) -> Part:
    """The pixels and samples that a tile and a slice stand for; None: all of them."""
    part = whole_part(settings)
    if tile is not None:
        x0, y0, x1, y1 = tile_rect(settings.width, settings.height, tile.col, tile.row, tile.cols, tile.rows)
        part = part._replace(x0=x0, y0=y0, x1=x1, y1=y1)
    if slice_ is not None:
        s0, s1 = slice_range(part.s1, slice_.index, slice_.count)
        part = part._replace(s0=s0, s1=s1)
    return part


def partial_header(settings: KernelSettings, recipe: str, frame: int, exposure: Exposure) -> PartialHeader:
    """What the partial of an exposure says of itself, as far as it has come."""
    film = exposure.film
    return PartialHeader(
        recipe=recipe,
        frame=frame,
        width=settings.width,
        height=settings.height,
        samples=samples_per_pixel(settings),
        seed=settings.seed,
        channels=film.channels,
        rect=film.rect,
        parts=joined(exposure.done),
    )


def taken_up(path: Path, begun: PartialHeader, part: Part) -> Exposure:
    """What an earlier attempt has saved of `part`; `begun` is the header of the same part with nothing in it.

    Raises:
        MergeFailed: it belongs to another frame or part. BrokenPartial: the file is damaged.
    """
    header, film = read_partial(path)
    done = tuple(Part(*box) for box in header.parts)
    outside = any(remainder(box, [part]) for box in done)
    if header.frame_key != begun.frame_key or header.rect != part[:4] or outside or overlap(done) is not None:
        raise MergeFailed(f"{path.name} was saved of another part of the frame.")
    return Exposure(part, film, done)


def expected_frame(header: PartialHeader, settings: KernelSettings, frame: int) -> bool:
    """Whether partials are of the frame that a task is to make."""
    wanted = (frame, settings.width, settings.height, samples_per_pixel(settings), settings.seed)
    return (header.frame, header.width, header.height, header.samples, header.seed) == wanted
