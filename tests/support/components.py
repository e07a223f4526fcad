"""Real components that tests need and a bare machine may lack: found, or skipped with the command that installs them.

Under OUTFIELD_REQUIRE_COMPONENTS=1 a missing component fails the test instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

INSTALL = {
    "blender": "apt-get install blender",
    "bpy": "make components",
    "chromium": "apt-get install chromium",
    "gcc": "apt-get install gcc libc6-dev",
    "postgresql": "apt-get install postgresql",
    "povray": "apt-get install povray",
    "unshare": "apt-get install util-linux",
    "xvfb": "apt-get install xvfb xauth",
}

BPY_PYTHON = Path(__file__).parents[2] / ".venv-bpy" / "bin" / "python"


def find(component: str) -> Path | None:
    """Where the component's program is on this machine, or None."""
    if component == "bpy":
        return BPY_PYTHON if BPY_PYTHON.exists() else None
    if component == "postgresql":
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
        return found[0].parent if found else None
    path = shutil.which({"xvfb": "xvfb-run"}.get(component, component))
    return Path(path) if path else None


def require(component: str) -> Path:
    """The component's program; skips the test, or fails it where components are required."""
    path = find(component)
    if path is not None:
        return path
    reason = f"{component} is missing; install it with: {INSTALL[component]}"
    if os.environ.get("OUTFIELD_REQUIRE_COMPONENTS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
