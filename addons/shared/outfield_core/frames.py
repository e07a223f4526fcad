# SPDX-License-Identifier: Apache-2.0
"""Frame ranges as artists write them (`1-100x2,150`, `1-100:5`), read exactly as the farm reads them.

The syntax is fileseq's; what is accepted and in which order must equal `scheduler.domain.frames`, which a property
test compares.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from .errors import Refused

FRAME_ABS_MAX = 10_000_000
FRAMES_MAX = 100_000

_PART = re.compile(r"^(-?\d+)(?:-(-?\d+)(?:([xy:])(-?\d+))?)?$", re.ASCII)


class FrameSyntaxError(Refused):
    """A frame range that cannot be read; `position` counts characters from 0."""

    def __init__(self, text: str, position: int, **values: Any) -> None:
        self.position = position
        super().__init__(text, values, code="invalid_frames", hint="Write for example 1-10, 1-10x2 or 1,5,9.")


def parse_frames(text: str, frames_max: int = FRAMES_MAX) -> Tuple[int, ...]:
    """The frames of `text` in the order in which they are rendered, without doubles.

    Raises:
        FrameSyntaxError: not a frame range, or more than `frames_max` frames.
    """
    parts = list(_parts(text))
    if sum(count for _, count in parts) > max(10 * frames_max, frames_max + 1000):
        raise FrameSyntaxError("These are too many frames; the farm takes {most} in one job.", 0, most=frames_max)
    frames: Dict[int, None] = {}
    for (first, last, mark, step), _ in parts:
        for frame in _expand(first, last, mark, step):
            frames[frame] = None
    if not frames:
        raise FrameSyntaxError("The frame range is empty.", 0)
    if len(frames) > frames_max:
        raise FrameSyntaxError(
            "{count} frames are too many; the farm takes {most}.", 0, count=len(frames), most=frames_max
        )
    return tuple(frames)


def format_frames(frames: Iterable[int]) -> str:
    """A short frame range that names exactly these frames, sorted, e.g. `1-3,5-9x2`."""
    left = sorted(set(frames))
    parts: List[str] = []
    while left:
        run = _run(left)
        first, last = left[0], left[run - 1]
        step = left[1] - first if run > 1 else 1
        if run == 1:
            parts.append(str(first))
        elif run == 2:
            parts.extend((str(first), str(last)))
        else:
            parts.append("{}-{}".format(first, last) + ("" if step == 1 else "x{}".format(step)))
        left = left[run:]
    return ",".join(parts)


def missing_frames(wanted: Iterable[int], present: Iterable[int]) -> Tuple[int, ...]:
    """Those of `wanted` that are not there yet, in their order."""
    there = set(present)
    return tuple(frame for frame in wanted if frame not in there)


def _run(frames: List[int]) -> int:
    """How many frames at the front are evenly spaced."""
    if len(frames) < 3:
        return len(frames)
    step, count = frames[1] - frames[0], 2
    while count < len(frames) and frames[count] - frames[count - 1] == step:
        count += 1
    return count if count > 2 else 1


def _parts(text: str) -> Iterator[Tuple[Tuple[int, int, str, int], int]]:
    position = 0
    for part in text.split(","):
        bare = part.strip().replace(" ", "")
        lead = position + len(part) - len(part.lstrip())
        position += len(part) + 1
        if not bare:
            continue
        match = _PART.match(bare)
        if match is None:
            fault = next((i for i, letter in enumerate(bare) if letter not in "-0123456789xy:"), 0)
            if "." in bare:
                raise FrameSyntaxError("Only whole frames can be rendered.", lead + fault)
            raise FrameSyntaxError("{part!r} is not a frame range.", lead + fault, part=bare)
        yield _numbers(match, lead)


def _numbers(match: "re.Match[str]", position: int) -> Tuple[Tuple[int, int, str, int], int]:
    first_text, last_text, mark, step_text = match.groups()
    first = int(first_text)
    last = int(last_text) if last_text is not None else first
    if max(abs(first), abs(last)) > FRAME_ABS_MAX:
        raise FrameSyntaxError("Frame numbers go up to {most}.", position, most=FRAME_ABS_MAX)
    step = int(step_text) if step_text is not None else 1
    if step == 0 or (step < 0 and first <= last):
        raise FrameSyntaxError("A step of {step} leads nowhere.", position + match.start(3) + 1, step=step)
    span = abs(last - first) + 1
    return (first, last, mark or "", abs(step)), max(1, span // abs(step)) if mark == "x" else span


def _expand(first: int, last: int, mark: str, step: int) -> Iterator[int]:
    if mark == "x":
        return iter(_span(first, last, step))
    if mark == "y":
        skipped = set(_span(first, last, step))
        return iter([frame for frame in _span(first, last, 1) if frame not in skipped])
    if mark == ":":
        size = abs(last - first) + 1
        # A stride beyond the range names only its first frame, as does every wider one.
        strides = range(min(step, size), 0, -1)
        return (frame for stride in strides for frame in _span(first, last, stride))
    return iter(_span(first, last, 1))


def _span(first: int, last: int, step: int) -> range:
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
