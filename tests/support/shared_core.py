"""The add-ons' shared core as a package of its own, and as every Python on this machine sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "addons" / "shared"

if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))

VERSIONS = ("3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


def pythons() -> dict[str, Path]:
    """Version to program, of those that are here: on the PATH, or made by pyenv."""
    found: dict[str, Path] = {}
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        made = sorted(root.glob(f"{version}.*/bin/python"))
        path = made[-1] if made else shutil.which(f"python{version}")
        if path:
            found[version] = Path(path)
    return found


def run_plainly(version: str, program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a text in a Python of this version that knows nothing but `folder`; skips where that Python is missing."""
    python = pythons().get(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine; install it with: pyenv install {version}")
    argv = [python, "-I", "-B", "-W", "error::SyntaxWarning", "-c", program, str(folder)]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"]}
    )
