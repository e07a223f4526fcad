"""Runs functions of the test support inside a real Blender that has the built add-on, and brings back what they return.

One Blender start runs a whole list of calls, because a start costs a second. `AddonHome` is one artist's machine: its
own settings, its own spool, the add-on installed from the zip that `outfield addons build` made.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MARK = "OUTFIELD-ANSWER "
TIMEOUT_S = 150.0


@dataclass
class AddonHome:
    """One artist's machine."""

    program: Path
    zip: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_bpy(self) -> bool:
        """Is the program a Python with bpy, rather than a Blender?"""
        return self.program.name.startswith("python")

    @property
    def spool(self) -> Path:
        """Where submissions are kept."""
        return self.folder / "spool"

    def environ(self) -> dict[str, str]:
        """The environment of a Blender here."""
        home = str(self.folder / "home")
        Path(home).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TMPDIR": home,
            "BLENDER_USER_RESOURCES": f"{home}/blender",
            "BLENDER_USER_SCRIPTS": f"{home}/blender/scripts",
            "BLENDER_USER_CONFIG": f"{home}/blender/config",
            "BLENDER_USER_EXTENSIONS": f"{home}/blender/extensions",
            "OUTFIELD_SPOOL": str(self.spool),
            **self.environment,
        }

    def argv(self, *before: str, calls: list[list[Any]]) -> list[str]:
        """The command line that runs calls in a fresh Blender."""
        text = json.dumps({"zip": str(self.zip), "calls": calls})
        own = str(Path(__file__).resolve())
        if self.is_bpy:
            return [str(self.program), own, "--", text]
        return [str(self.program), "-b", *before, "--python-exit-code", "9", "-P", own, "--", text]

    def run(self, *calls: list[Any], allow_failure: bool = False) -> list[Any]:
        """Run calls `[module:function, arguments…]` one after another; returns what each returned."""
        argv = self.argv(calls=list(calls))
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environ(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        answers = [json.loads(line[len(MARK) :]) for line in done.stdout.splitlines() if line.startswith(MARK)]
        if not allow_failure:
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
            assert len(answers) == len(calls), done.stdout[-4000:]
        return answers


# ---- From here on in Blender ---------------------------------------------------------------------------------------


def installed(zip_path: str) -> str:
    """Install and switch on the add-on once; returns its module's name."""
    import bpy

    if hasattr(bpy.types, "OUTFIELD_OT_submit"):
        return sys.modules["outfield"].__name__
    if hasattr(bpy.ops, "extensions") and "package_install_files" in dir(bpy.ops.extensions):
        if "bl_ext.user_default.outfield" not in bpy.context.preferences.addons:
            bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    else:
        bpy.ops.preferences.addon_install(filepath=zip_path, overwrite=True)
        bpy.ops.preferences.addon_enable(module="outfield")
    return sys.modules["outfield"].__name__


def _main(text: str) -> int:
    import bpy  # noqa: F401 - first of all, or nothing of Blender's is there

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    given = json.loads(text)
    try:
        for target, *arguments in given["calls"]:
            module, _, name = target.partition(":")
            if module not in ("addon_scenes", "addon_load"):
                installed(given["zip"])
            answer = getattr(importlib.import_module(module), name)(*arguments)
            sys.stdout.write(MARK + json.dumps(answer) + "\n")
            sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the test prints it
        traceback.print_exc()
        return 9
    return 0


if __name__ == "__main__":
    code = _main(sys.argv[sys.argv.index("--") + 1])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # bpy may hang or crash on its way out
