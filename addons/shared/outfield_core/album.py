# SPDX-License-Identifier: Apache-2.0
"""Pictures from the farm on this machine's disk: small ones for the list of jobs, and frames that were fetched."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict

from .client import Client, quoted
from .errors import FarmError

PREVIEW_PX = 160
KEPT_MAX = 200
"""Files of each kind; beyond that the oldest go."""


class Album:
    """Two folders of the user's: `previews`, for each farm, and `frames`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def preview(self, client: Client, job: str, frame: Dict[str, Any]) -> str:
        """The path of a small picture of a frame, as the farm lists it; "" when there is none."""
        name = "{}_{}_{}.png".format(job, frame["frame"], str(frame.get("hash"))[:8])
        farm = hashlib.sha256(client.server.encode()).hexdigest()[:8]
        path = os.path.join(self._folder, "previews", farm, name)
        if os.path.exists(path):
            return path
        try:
            where = "/jobs/{}/frames/{}/preview".format(quoted(job), frame["frame"])
            content, _ = client.fetch(where, {"width": PREVIEW_PX, "format": "png"})  # not every program reads WebP
            return _write(path, content)
        except (FarmError, OSError):
            return ""

    def keep(self, name: str, content: bytes) -> str:
        """Keep a whole frame; its path.

        Raises:
            OSError: it cannot be written.
        """
        return _write(os.path.join(self._folder, "frames", name), content)


def _write(path: str, content: bytes) -> str:
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    part = "{}.{}.part".format(path, os.getpid())
    with open(part, "wb") as file:
        file.write(content)
    os.replace(part, path)
    _prune(folder)
    return path


def _prune(folder: str) -> None:
    """Keep the newest files only."""
    paths = sorted((os.path.join(folder, name) for name in os.listdir(folder)), key=os.path.getmtime)
    for path in paths[:-KEPT_MAX]:
        os.unlink(path)
