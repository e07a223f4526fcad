"""From one job to its steps and tasks: frames × tiles × sample slices into producers, and a tree of reducers.

Every frame that is split gets reducers that merge its parts. Many parts are merged in two levels with a fan-in of
√n, as Francine did, so that no single merge reads them all. Each part feeds exactly one reducer, which makes
"the last producer is done" one decrement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FLAT_FAN_IN_MAX = 16
"""Up to this many parts are merged by one reducer; more get the tree."""


@dataclass(frozen=True)
class TilePart:
    """Tile (col, row) of cols × rows, counted from the top left."""

    col: int
    row: int
    cols: int
    rows: int


@dataclass(frozen=True)
class SlicePart:
    """Sample slice `index` of `count`."""

    index: int
    count: int


@dataclass(frozen=True)
class SplitRequest:
    """How a job is to be cut up. `tiles` is (cols, rows) or None, `samples` the number of slices or None."""

    frames: tuple[int, ...]
    chunk: int = 1
    tiles: tuple[int, int] | None = None
    samples: int | None = None

    @property
    def parts_per_frame(self) -> int:
        """Producers that each frame needs."""
        cols, rows = self.tiles or (1, 1)
        return cols * rows * (self.samples or 1)


@dataclass(frozen=True)
class TaskPlan:
    """One task to be: its place in its step, what it renders, and which task (`step`, `seq`) it feeds.

    `waiting` is the number of parts that it waits for: 0 for a producer.
    """

    seq: int
    frames: tuple[int, ...]
    tile: TilePart | None = None
    slice: SlicePart | None = None
    feeds: tuple[int, int] | None = None
    waiting: int = 0


@dataclass(frozen=True)
class StepPlan:
    """One step to be: `kind` render or merge; `level` 0 renders, 1 and 2 merge; the highest makes the frame."""

    index: int
    name: str
    kind: str
    level: int
    final: bool
    tasks: tuple[TaskPlan, ...]


def split_job(request: SplitRequest) -> tuple[StepPlan, ...]:
    """The steps of a job, each with its tasks in the order in which they should be leased."""
    if request.parts_per_frame == 1:
        return (StepPlan(0, "render", "render", 0, True, tuple(_whole_frames(request))),)
    parts = list(_parts(request))
    group_sizes = _groups(len(parts))
    if len(group_sizes) == 1:
        return _flat(request.frames, parts)
    return _tree(request.frames, parts, group_sizes)


def task_count(request: SplitRequest) -> int:
    """How many tasks `split_job` would make, without making them."""
    frames, parts = len(request.frames), request.parts_per_frame
    if parts == 1:
        return math.ceil(frames / request.chunk)
    groups = len(_groups(parts))
    return frames * (parts + 1 + (groups if groups > 1 else 0))


def _whole_frames(request: SplitRequest) -> Iterator[TaskPlan]:
    for seq, start in enumerate(range(0, len(request.frames), request.chunk)):
        yield TaskPlan(seq, request.frames[start : start + request.chunk])


def _parts(request: SplitRequest) -> Iterator[tuple[TilePart | None, SlicePart | None]]:
    """Sample slices outside, tiles inside: after the first slice a whole picture can be shown."""
    cols, rows = request.tiles or (1, 1)
    for index in range(request.samples or 1):
        part = SlicePart(index, request.samples) if request.samples and request.samples > 1 else None
        for row in range(rows):
            for col in range(cols):
                yield (TilePart(col, row, cols, rows) if cols * rows > 1 else None), part


def _groups(parts: int) -> list[int]:
    """Sizes of the groups that the first level of reducers merges; one group means a single level."""
    if parts <= FLAT_FAN_IN_MAX:
        return [parts]
    groups = math.isqrt(parts - 1) + 1  # ceil(√parts)
    base, extra = divmod(parts, groups)
    return [base + (1 if i < extra else 0) for i in range(groups)]


Parts = Sequence[tuple[TilePart | None, SlicePart | None]]


def _flat(frames: Sequence[int], parts: Parts) -> tuple[StepPlan, ...]:
    renders = [
        TaskPlan(position * len(parts) + i, (frame,), tile, part, feeds=(1, position))
        for position, frame in enumerate(frames)
        for i, (tile, part) in enumerate(parts)
    ]
    merges = [TaskPlan(position, (frame,), waiting=len(parts)) for position, frame in enumerate(frames)]
    return (
        StepPlan(0, "render", "render", 0, False, tuple(renders)),
        StepPlan(1, "merge", "merge", 1, True, tuple(merges)),
    )


def _tree(frames: Sequence[int], parts: Parts, sizes: Sequence[int]) -> tuple[StepPlan, ...]:
    group_of = [group for group, size in enumerate(sizes) for _ in range(size)]
    renders: list[TaskPlan] = []
    groups: list[TaskPlan] = []
    finals: list[TaskPlan] = []
    for position, frame in enumerate(frames):
        for i, (tile, part) in enumerate(parts):
            feeds = (1, position * len(sizes) + group_of[i])
            renders.append(TaskPlan(position * len(parts) + i, (frame,), tile, part, feeds=feeds))
        for group, size in enumerate(sizes):
            groups.append(TaskPlan(position * len(sizes) + group, (frame,), feeds=(2, position), waiting=size))
        finals.append(TaskPlan(position, (frame,), waiting=len(sizes)))
    return (
        StepPlan(0, "render", "render", 0, False, tuple(renders)),
        StepPlan(1, "merge parts", "merge", 1, False, tuple(groups)),
        StepPlan(2, "merge", "merge", 2, True, tuple(finals)),
    )
