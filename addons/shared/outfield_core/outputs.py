# SPDX-License-Identifier: Apache-2.0
"""Where frames go: a path with `####` for the frame. PURE, but for `present_frames`."""

from __future__ import annotations

import os
import re
from typing import Iterable, List

FORMATS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".exr": "exr"}
"""The farm's formats by a file's ending."""

MOVIES = frozenset({".avi", ".mov", ".mp4", ".mxf", ".qt"})
HASHES = re.compile("#+")


def frame_file(pattern: str, frame: int) -> str:
    """The file of one frame; a minus stands before the digits."""
    folder, slash, name = pattern.rpartition("/")
    minus = "-" if frame < 0 else ""
    return folder + slash + HASHES.sub(lambda run: minus + str(abs(frame)).zfill(len(run[0])), name)


def present_frames(pattern: str, frames: Iterable[int]) -> List[int]:
    """Those that are there already; asks the disk."""
    return [frame for frame in frames if os.path.exists(frame_file(pattern, frame))]


def lies_under(path: str, root: str) -> bool:
    """Is the path inside of the folder, by name alone?"""
    folder = root.replace("\\", "/").rstrip("/")
    return path.replace("\\", "/").startswith(folder + "/")
