"""Putting parts of a frame together: which part is what, and the arithmetic. PURE: arrays in, arrays out.

A partial covers some rects of the frame, each with a number of samples. Rects are laid side by side, bit for bit;
where several partials cover the same rect, each is a mean over its own samples, and the mean of all is their mean
weighted by samples, summed in float64 in the order of the samples whatever order the partials came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels from the top left; the end is not part of it."""

Plane = npt.NDArray[np.float32]
"""One channel, (height, width)."""


class PartsWrong(Exception):
    """The partials do not make up a frame; the message says why."""


Range = tuple[int, int]
"""First sample and number of samples, counted in the samples of the whole frame."""


@dataclass(frozen=True)
class Part:
    """One rect of a partial, and which of the frame's samples went into it: ranges in order, none of them empty."""

    rect: Rect
    ranges: tuple[Range, ...]

    @property
    def samples(self) -> int:
        """How many samples went into each pixel."""
        return sum(count for _, count in self.ranges)


@dataclass(frozen=True)
class Partial:
    """What the producer of a partial said of it. `bounds` is the rect that its file's pixels cover."""

    width: int
    height: int
    bounds: Rect
    parts: tuple[Part, ...]
    total_samples: int
    passes: str
    blender: str

    def as_meta(self) -> dict[str, Any]:
        """As it travels with the file."""
        return {
            "width": self.width,
            "height": self.height,
            "rect": list(self.bounds),
            "parts": [[*part.rect, [list(item) for item in part.ranges]] for part in self.parts],
            "samples": max(part.samples for part in self.parts),
            "total_samples": self.total_samples,
            "passes": self.passes,
            "blender": self.blender,
        }


def from_meta(meta: Mapping[str, Any]) -> Partial:
    """Read what travelled with the file.

    Raises:
        PartsWrong: it does not describe a partial.
    """
    try:
        parts = [Part(_rect(entry[:4]), _ranges(entry[4])) for entry in meta["parts"]]
        partial = Partial(
            int(meta["width"]),
            int(meta["height"]),
            _rect(meta["rect"]),
            tuple(parts),
            int(meta["total_samples"]),
            str(meta["passes"]),
            str(meta["blender"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise PartsWrong(f"An input does not say what part of the frame it is ({error!r}). Render it again.") from error
    if not _inside(partial.bounds, (0, 0, partial.width, partial.height)) or not all(
        _inside(part.rect, partial.bounds) for part in parts
    ):
        raise PartsWrong("An input lies outside its frame. Render it again.")
    return partial


def combine(partials: Sequence[Partial]) -> Partial:
    """The partial that `partials` make together.

    Raises:
        PartsWrong: they belong to different frames, or overlap.
    """
    if not partials:
        raise PartsWrong("There is nothing to merge.")
    first = partials[0]
    for other in partials[1:]:
        if (other.width, other.height, other.total_samples) != (first.width, first.height, first.total_samples):
            raise PartsWrong("The parts are of frames of different size or samples. Render them again.")
    covered = sorted((part for partial in partials for part in partial.parts), key=_order)
    ranges: dict[Rect, tuple[Range, ...]] = {}
    for part in covered:
        ranges[part.rect] = _joined(sorted(ranges.get(part.rect, ()) + part.ranges))
    parts = [Part(rect, joined) for rect, joined in ranges.items()]
    if not _disjoint([part.rect for part in parts], first.width, first.height):
        raise PartsWrong("Two parts overlap. Render them again.")
    passes = "all" if all(partial.passes == "all" for partial in partials) else "combined"
    return Partial(first.width, first.height, _around(parts), tuple(parts), first.total_samples, passes, first.blender)


def check_whole(partial: Partial) -> None:
    """Raises PartsWrong unless every pixel has all its samples."""
    if any(part.samples != partial.total_samples for part in partial.parts):
        raise PartsWrong("Samples of some parts are missing. Render them again.")
    if sum(_area(part.rect) for part in partial.parts) != partial.width * partial.height:
        raise PartsWrong("Parts of the frame are missing. Render them again.")


def in_order(partials: Iterable[tuple[int, Partial]]) -> list[int]:
    """Indices of partials in the order in which they are added, which is that of their first part."""
    return [index for index, _ in sorted(partials, key=lambda item: (_order(item[1].parts[0]), item[0]))]


class Canvas:
    """One channel of the merged picture while parts come in, in order. Means are kept in float64 until `finish`."""

    def __init__(self, whole: Partial) -> None:
        x0, y0, x1, y1 = whole.bounds
        self._bounds = whole.bounds
        self._pixels: Plane = np.zeros((y1 - y0, x1 - x0), np.float32)
        self._samples = {part.rect: part.samples for part in whole.parts}
        self._sums: dict[Rect, npt.NDArray[np.float64]] = {}

    def add(self, partial: Partial, pixels: Plane) -> None:
        """Add a partial; `pixels` are its file's, of the size of its bounds."""
        for part in partial.parts:
            if part.samples == 0:
                continue
            source = pixels[_window(part.rect, partial.bounds)]
            if part.samples == self._samples[part.rect]:
                self._pixels[_window(part.rect, self._bounds)] = source
                continue
            weighted = source.astype(np.float64) * part.samples
            if part.rect in self._sums:
                self._sums[part.rect] += weighted
            else:
                self._sums[part.rect] = weighted

    def finish(self) -> Plane:
        """The merged channel."""
        for rect, total in self._sums.items():
            self._pixels[_window(rect, self._bounds)] = (total / self._samples[rect]).astype(np.float32)
        self._sums.clear()
        return self._pixels


def _order(part: Part) -> tuple[int, int, int, int]:
    first, count = part.ranges[0] if part.ranges else (0, 0)
    return (part.rect[1], part.rect[0], first, count)


def _ranges(values: Iterable[Sequence[Any]]) -> tuple[Range, ...]:
    return _joined([(int(first), int(count)) for first, count in values if count])


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ranges in order, adjoining ones made one."""
    joined: list[Range] = []
    for first, count in ranges:
        end = sum(joined[-1]) if joined else -1
        if first < end:
            raise PartsWrong("Two parts hold the same samples. Render them again.")
        if first == end:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((first, count))
    return tuple(joined)


def _rect(values: Sequence[Any]) -> Rect:
    x0, y0, x1, y1 = (int(value) for value in values)
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise ValueError(f"no rect: {list(values)}")
    return (x0, y0, x1, y1)


def _inside(inner: Rect, outer: Rect) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _area(rect: Rect) -> int:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])


def _around(parts: Sequence[Part]) -> Rect:
    return (
        min(part.rect[0] for part in parts),
        min(part.rect[1] for part in parts),
        max(part.rect[2] for part in parts),
        max(part.rect[3] for part in parts),
    )


def _disjoint(rects: Sequence[Rect], width: int, height: int) -> bool:
    taken = np.zeros((height, width), np.bool_)
    for x0, y0, x1, y1 in rects:
        if taken[y0:y1, x0:x1].any():
            return False
        taken[y0:y1, x0:x1] = True
    return True


def _window(rect: Rect, bounds: Rect) -> tuple[slice, slice]:
    return (slice(rect[1] - bounds[1], rect[3] - bounds[1]), slice(rect[0] - bounds[0], rect[2] - bounds[0]))
