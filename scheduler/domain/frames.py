"""Frame ranges as artists write them, e.g. `1-100x2,150` or `1-100:5` (all frames, coarse to fine).

The syntax and its parser are fileseq's (https://fileseq.readthedocs.io); this module adds a bound, whole frames only,
and the position of the fault.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fileseq import framesToFrameRange
from fileseq.exceptions import FileSeqException
from fileseq.frameset import FrameSet

FRAME_ABS_MAX = 10_000_000
"""Frame numbers lie between plus and minus this."""

_PART = re.compile(r"^(-?\d+)(?:-(-?\d+)(?:([xy:])(-?\d+))?)?$")


class FrameSyntaxError(ValueError):
    """A frame range that cannot be read; `position` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        self.message, self.position = message, position
        super().__init__(f"{message} (at position {position})")


def parse_frames(text: str, *, frames_max: int) -> tuple[int, ...]:
    """The frames of `text` in the order in which they should be rendered, without doubles.

    Raises:
        FrameSyntaxError: not a frame range, a fraction of a frame, or more than `frames_max` frames.
    """
    if not text.strip():
        raise FrameSyntaxError("the frame range is empty; write for example 1-10", 0)
    position, total = 0, 0
    for part in text.split(","):
        total += _count(part, position)
        position += len(part) + 1
    # Checked on the raw sum first, so that a hostile range is refused before fileseq expands it.
    if total > max(10 * frames_max, frames_max + 1000):
        raise FrameSyntaxError(f"about {total} frames are too many; this farm takes {frames_max} in one job", 0)
    try:
        frames = tuple(int(frame) for frame in FrameSet(text.replace(" ", "")))
    except (FileSeqException, ValueError, OverflowError) as error:
        raise FrameSyntaxError(f"cannot read the frame range: {error}", 0) from error
    if not frames:
        raise FrameSyntaxError("the frame range holds no frame; write for example 1-10", 0)
    if len(frames) > frames_max:
        raise FrameSyntaxError(f"{len(frames)} frames are too many; this farm takes {frames_max} in one job", 0)
    return frames


def _count(part: str, position: int) -> int:
    """How many frames one comma-separated part names at most."""
    lead = len(part) - len(part.lstrip())
    text = part.strip().replace(" ", "")
    if not text:
        return 0
    if not text.isascii():
        raise FrameSyntaxError(f"{text!r} is not a frame range", position + lead)
    match = _PART.match(text)
    if match is None:
        fault = next((i for i, c in enumerate(text) if c not in "-0123456789xy:"), 0)
        what = "whole frames only" if "." in text else f"{text!r} is not a frame range"
        raise FrameSyntaxError(f"{what}; write for example 1-10, 1-10x2 or 1,5,9", position + lead + fault)
    first, last, mark, step = match.groups()
    start = int(first)
    end = int(last) if last is not None else start
    if max(abs(start), abs(end)) > FRAME_ABS_MAX:
        raise FrameSyntaxError(f"frame numbers go up to {FRAME_ABS_MAX}", position + lead)
    stride = int(step) if step is not None else 1
    if stride == 0 or (stride < 0 and start <= end):
        raise FrameSyntaxError(f"a step of {stride} leads nowhere", position + lead + text.index(mark) + 1)
    span = abs(end - start) + 1
    return max(1, span // abs(stride)) if mark == "x" else span


def format_frames(frames: Sequence[int]) -> str:
    """The shortest frame range that names these frames, sorted, e.g. `1-3,5-9x2`."""
    return framesToFrameRange(sorted(set(frames)), sort=True) if frames else ""


def previews_first(frames: Sequence[int]) -> tuple[int, ...]:
    """First, last and middle frame at the front, the others in their order: a look at the whole shot early on."""
    if len(frames) < 3:
        return tuple(frames)
    ordered = sorted(frames)
    heads = (ordered[0], ordered[-1], ordered[len(ordered) // 2])
    return heads + tuple(frame for frame in frames if frame not in heads)
