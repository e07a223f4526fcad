"""Real components that tests need and a bare machine may lack: found, or skipped with the command that installs them.

Under OUTFIELD_REQUIRE_COMPONENTS=1 a missing component fails the test instead.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
from pathlib import Path

import pytest

INSTALL = {
    "blender": "apt-get install blender",
    "bpy": "make components",
    "chromium": "apt-get install chromium",
    "fake-gcs-server": "make components",
    "gcc": "apt-get install gcc libc6-dev",
    "munged": "apt-get install munge",
    "ip": "apt-get install iproute2",
    "postgresql": "apt-get install postgresql",
    "povray": "apt-get install povray",
    "qt": "apt-get install libegl1 libgl1 libxkbcommon0 libfontconfig1 libglib2.0-0",
    "rqd": "make components",
    "sbatch": "apt-get install slurm-client",
    "slurmctld": "apt-get install slurmctld slurm-wlm-basic-plugins",
    "slurmd": "apt-get install slurmd slurm-wlm-basic-plugins",
    "shellcheck": "apt-get install shellcheck",
    "systemd-analyze": "apt-get install systemd",
    "unshare": "apt-get install util-linux",
    "weed": "make components",
    "xvfb": "apt-get install xvfb xauth",
}

ROOT = Path(__file__).parents[2]
BPY_PYTHON = ROOT / ".venv-bpy" / "bin" / "python"
RQD = ROOT / ".venv-rqd" / "bin" / "rqd"
STORES = ROOT / ".venv-stores"
"""Where `tools/install_object_stores.sh` puts them."""


def find(component: str) -> Path | None:
    """Where the component's program is on this machine, or None."""
    if component == "bpy":
        return BPY_PYTHON if BPY_PYTHON.exists() else None
    if component == "rqd":
        return RQD if RQD.exists() else None
    if component == "postgresql":
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
        return found[0].parent if found else None
    if component == "weed":
        return STORES / "bin" / "weed" if (STORES / "bin" / "weed").exists() else None
    if component == "fake-gcs-server":
        return next(STORES.glob("lib/python*/site-packages/fake_gcs_server_*/vendor/*/bin/fake-gcs-server-*"), None)
    if component == "qt":
        library = ctypes.util.find_library("EGL") and ctypes.util.find_library("xkbcommon")
        return Path(library) if library else None
    program = {"xvfb": "xvfb-run"}.get(component, component)
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")  # where daemons live
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
