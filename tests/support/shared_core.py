"""The add-ons' shared core as a package of its own, and as every Python on this machine sees it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

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
