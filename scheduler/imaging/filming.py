"""Making a movie: a decoder process of its own for each, so that checks of frames never wait behind a movie."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.imaging.facts import Verdict
from scheduler.imaging.process import ChildLost, DecoderProcess
from scheduler.imaging.requests import Movie
from scheduler.protocol.renderers import IMAGE_PIXELS_MAX

MOVIE_FRAMES_MAX: Final = 5000
"""Frames of one movie: three and a half minutes at 24 per second. The shot has been left behind long before."""

MOVIE_TIMEOUT_S: Final = 1800.0
MEMORY_MAX_BYTES: Final = 4 * 2**30


@dataclass(frozen=True)
class Filming:
    """Limits under which movies are made; `timeout_s` is for a whole movie."""

    memory_max_bytes: int = MEMORY_MAX_BYTES
    timeout_s: float = MOVIE_TIMEOUT_S
    pixels_max: int = IMAGE_PIXELS_MAX

    async def movie(self, frames: Sequence[Path], out: Path, *, fps: float, width_px: int) -> Verdict:
        """Write an MP4 of the frames, in their order, to `out`; whatever goes wrong is a verdict, never an exception.

        The folder of `out` must exist. Frames that cannot be decoded are left out; the message counts them.
        """
        if not 1 <= len(frames) <= MOVIE_FRAMES_MAX:
            message = f"A movie shows 1 to {MOVIE_FRAMES_MAX} frames, not {len(frames)}."
            return Verdict(False, None, "movie_too_long", message)
        question = Movie([str(frame.absolute()) for frame in frames], str(out.absolute()), fps, width_px)
        try:
            child = await DecoderProcess.start(self.memory_max_bytes, self.timeout_s, self.pixels_max)
        except ChildLost as loss:
            return Verdict(False, None, "decoder_unavailable", f"The movie maker cannot be started: {loss}.")
        try:
            async with asyncio.timeout(self.timeout_s):
                return await child.ask(question)
        except ChildLost as loss:
            return Verdict(False, None, "decoder_crashed", f"The movie maker crashed ({loss}).")
        except TimeoutError:
            return Verdict(False, None, "decoder_timeout", f"The movie was not done within {self.timeout_s:g} s.")
        finally:
            await child.kill()
