"""How far a task is, although Cycles without a window says so only now and then. PURE: time is an argument.

A frame's fraction comes from Blender's own lines ("Sample 4/64"). Between them it is carried on at the pace seen so
far, or at that of the frame before; it never falls and never reaches 1 before the frame is there.
"""

from __future__ import annotations

import math
import re

SAMPLE = re.compile(r"(?:Sample|Rendering|Rendered)\s+(\d+)\s*/\s*(\d+)")
REMAINING = re.compile(r"Remaining:\s*(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")

FRACTION_MAX = 0.99
"""A frame is not done before its file is there."""

UNKNOWN_FRAME_S = 30.0
"""How long a first frame is taken to last while nothing is known about it."""


def parse_fraction(line: str) -> float | None:
    """The fraction of the samples in a line of Blender's, or None."""
    found = SAMPLE.search(line)
    if found is None or int(found[2]) == 0:
        return None
    return min(int(found[1]) / int(found[2]), 1.0)


def parse_remaining_s(line: str) -> float | None:
    """The time that Blender thinks it still needs, in seconds, or None."""
    found = REMAINING.search(line)
    if found is None:
        return None
    return int(found[1] or 0) * 3600.0 + int(found[2]) * 60.0 + float(found[3])


class Progress:
    """Progress of one task of `frames` frames; `expected_s` is what a frame is thought to take, `floor` the share of
    the task that is behind it already."""

    def __init__(self, frames: int, now: float, *, expected_s: float | None = None, floor: float = 0.0) -> None:
        self._frames = max(frames, 1)
        self._floor = floor
        self._done = 0
        self._began = now
        self._seen_at = now
        self._seen = 0.0
        self._rate = 1.0 / max(expected_s, 1e-3) if expected_s else 0.0
        self._highest = 0.0
        self.note = "opening the scene"

    def begin(self, frame: int, now: float) -> None:
        """A frame has begun."""
        self._began = self._seen_at = now
        self._seen = 0.0
        self.note = f"frame {frame}"

    def line(self, text: str, now: float) -> None:
        """Blender has said something."""
        fraction = parse_fraction(text)
        if fraction is None or fraction <= self._seen:
            return
        self._seen, self._seen_at = fraction, now
        remaining_s = parse_remaining_s(text)
        elapsed_s = now - self._began
        if remaining_s and elapsed_s > 0:
            self._rate = (1.0 - fraction) / remaining_s
        elif elapsed_s > 0:
            self._rate = fraction / elapsed_s

    def end(self, now: float) -> None:
        """The frame is there."""
        self._done += 1
        self._rate = 1.0 / max(now - self._began, 1e-3)
        self._began = self._seen_at = now
        self._seen = 0.0

    def frame_s(self) -> float | None:
        """What the next frame is thought to take, or None before anything is known."""
        return 1.0 / self._rate if self._rate > 0 else None

    def fraction(self, now: float) -> float:
        """The fraction of the whole task; never less than before."""
        rate = self._rate or 1.0 / UNKNOWN_FRAME_S
        left = 1.0 - self._seen
        ahead = left * (1.0 - math.exp(-(now - self._seen_at) * rate / left)) if left > 0 else 0.0
        frame = min(self._seen + ahead, FRACTION_MAX) if self._done < self._frames else 0.0
        share = min((self._done + frame) / self._frames, 1.0)
        self._highest = max(self._highest, self._floor + (1.0 - self._floor) * share)
        return self._highest
