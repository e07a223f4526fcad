"""How far a task is, from the lines of an engine's log. PURE: time is an argument.

Maya takes 20 to 60 s until the first frame begins and says nothing that could be counted; then engines tell percents of
a frame, and some only when a frame is done. It never falls.
"""

from __future__ import annotations

import math

from worker.runners.maya.engines import Engine, share_of

START_SHARE = 0.05
"""Of a task's progress, what starting Maya and opening the scene makes up."""

START_S = 40.0
"""How long that is taken to last."""

FRACTION_MAX = 0.99


class Progress:
    """Progress of one task of `frames` frames by one engine."""

    def __init__(self, engine: Engine, frames: int, now: float) -> None:
        self._engine = engine
        self._frames = max(frames, 1)
        self._began = now
        self._done = 0
        self._share = 0.0
        self._rendering = False
        self._highest = 0.0

    @property
    def note(self) -> str:
        """What is being done, for people."""
        if not self._rendering:
            return "starting Maya"
        return f"frame {min(self._done + 1, self._frames)} of {self._frames}"

    def line(self, text: str) -> None:
        """The engine has said something."""
        if self._engine.done.search(text):
            self._rendering = True
            self._done = min(self._done + 1, self._frames)
            self._share = 0.0
            return
        share = share_of(self._engine, text)
        if share is not None:
            self._rendering = True
            self._share = share

    def seen(self, files: int) -> None:
        """So many of the frames are on the disk."""
        if files > self._done:
            self._rendering = True
            self._done, self._share = min(files, self._frames), 0.0

    def fraction(self, now: float) -> float:
        """The fraction of the whole task, in [0, 1]."""
        if self._rendering:
            left = self._frames - self._done
            share = min((self._done + (min(self._share, FRACTION_MAX) if left else 0.0)) / self._frames, 1.0)
            value = START_SHARE + (1.0 - START_SHARE) * share
        else:
            value = START_SHARE * (1.0 - math.exp(-max(now - self._began, 0.0) / START_S))
        self._highest = max(self._highest, value)
        return self._highest
