"""Merging the partials of a task: files in, one file out, read one by one so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from worker.runners.base import InputFile, Produced, RenderFailed, Work
from worker.runners.blender import exr
from worker.runners.blender.partials import Canvas, Partial, PartsWrong, check_whole, combine, from_meta, in_order


def merge_inputs(work: Work, on_share: Callable[[float], None]) -> Produced:
    """Merge the inputs of a task into one partial in its scratch folder. `on_share` hears how far it is, in [0, 1].

    Raises:
        RenderFailed: the inputs are damaged or do not make up what they should.
    """
    frame = work.lease.frames[0] if work.lease.frames else 0
    path = work.scratch / f"{frame_number(frame)}.merge.exr"
    try:
        partials = [from_meta(file.meta) for file in work.inputs]
        whole = combine(partials)
        if work.lease.final:
            check_whole(whole)
        _merge_files(path, work.inputs, partials, whole, on_share)
    except PartsWrong as error:
        raise RenderFailed(str(error), "infra") from error
    return Produced(path, "partial", frame, whole.as_meta())


def frame_number(frame: int) -> str:
    """A frame's number as in a file's name: four digits, the sign before them."""
    return f"{'-' if frame < 0 else ''}{abs(frame):04d}"


def empty_partial(path: Path, meta: Mapping[str, Any]) -> Path:
    """Write the partial of a slice that has no samples: black, and of no weight. There are such when a frame is cut
    into more slices than it has samples."""
    x0, y0, x1, y1 = meta["rect"]
    exr.write(path, {f"Empty.{exr.COMBINED}.{name}": np.zeros((y1 - y0, x1 - x0), np.float32) for name in "RGBA"})
    return path


def _merge_files(
    path: Path,
    inputs: tuple[InputFile, ...],
    partials: list[Partial],
    whole: Partial,
    on_share: Callable[[float], None],
) -> None:
    canvases: dict[str, Canvas] = {}
    order = [index for index in in_order(enumerate(partials)) if any(part.ranges for part in partials[index].parts)]
    names: set[str] | None = None
    for done, index in enumerate(order):
        on_share(done / len(order))
        channels = exr.read(inputs[index].path, whole.passes)
        if names is None:
            names = set(channels)
            canvases = {name: Canvas(whole) for name in sorted(names)}
        if set(channels) != names:
            raise PartsWrong("The parts have different passes. Render them again.")
        for name, canvas in canvases.items():
            _add(canvas, partials[index], channels[name])
    if not canvases:
        empty_partial(path, whole.as_meta())
        return
    on_share(1.0)
    exr.write(path, {name: canvas.finish() for name, canvas in canvases.items()}, _names_of_ids(inputs, order, whole))


def _add(canvas: Canvas, partial: Partial, pixels: Any) -> None:
    x0, y0, x1, y1 = partial.bounds
    if pixels.shape != (y1 - y0, x1 - x0):
        raise PartsWrong("A part of the frame has another size than it should. Render it again.")
    canvas.add(partial, pixels)


def _names_of_ids(inputs: tuple[InputFile, ...], order: list[int], whole: Partial) -> dict[str, str]:
    return exr.read_names_of_ids(inputs[order[0]].path) if whole.passes == "all" else {}
