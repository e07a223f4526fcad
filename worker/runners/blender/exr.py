"""Partials as files: multilayer OpenEXR as Blender writes and reads it, one float32 array per channel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from worker.runners.blender.partials import PartsWrong, Plane

COMBINED = "Combined"
"""Blender's name of the pass that is the picture itself: channels are called LAYER.PASS.CHANNEL."""

NAMES_OF_IDS = "cryptomatte/"
"""Header attributes with which Cycles says what the numbers of a Cryptomatte pass mean."""


def read(path: Path, passes: str) -> dict[str, Plane]:
    """The channels of a partial, (height, width) each; `passes` is `all`, or `combined` for the picture alone.

    Raises:
        PartsWrong: the file is damaged.
    """
    import OpenEXR

    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = cast("dict[str, Any]", file.channels())
            found = {name: np.asarray(channel.pixels, np.float32) for name, channel in channels.items()}
    except (ValueError, RuntimeError) as error:
        raise PartsWrong(f"A part of the frame is damaged ({error}). Render it again.") from error
    return {name: plane for name, plane in found.items() if passes == "all" or f".{COMBINED}." in f".{name}"}


def read_names_of_ids(path: Path) -> dict[str, str]:
    """The header attributes of a partial that belong to its Cryptomatte passes."""
    import OpenEXR

    with OpenEXR.File(str(path), header_only=True) as file:
        header = cast("dict[str, Any]", file.header())
    return {name: str(value) for name, value in header.items() if name.startswith(NAMES_OF_IDS)}


def write(path: Path, channels: Mapping[str, Plane], attributes: Mapping[str, str] | None = None) -> None:
    """Write a partial, losslessly packed, with further header attributes."""
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **(attributes or {})}
    OpenEXR.File(header, {name: np.ascontiguousarray(plane) for name, plane in channels.items()}).write(str(path))
