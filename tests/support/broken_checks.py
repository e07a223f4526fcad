"""In Blender: what the add-on says of each broken scene, before and after its fix, and of a disk that takes nothing."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

from broken_expected import SCENES
from broken_scenes import Breaker


def check_all(folder: str, names: list[str]) -> dict[str, Any]:
    """In Blender: make each scene, check it, try its fix, check again; what was said."""
    return {name: _check_one(Path(folder) / name, name) for name in names}


def _check_one(folder: Path, name: str) -> dict[str, Any]:
    import bpy
    from addon_acts import addon

    breaker = Breaker(folder)
    getattr(breaker, name)()
    before = _judge(breaker)
    wanted = next((each for each in before if each["code"] == SCENES[name].code), None)
    after = None
    if wanted is not None and wanted["fix"]:
        bpy.ops.outfield.fix(fix=wanted["fix"], target=wanted["target"], directory=str(folder))
        after = _judge(breaker)
    del addon
    return {"before": before, "after": after}


def _judge(breaker: Breaker) -> list[dict[str, str]]:
    import bpy
    from addon_acts import addon

    name = addon().__name__
    known = {"info": {}, **breaker.view, "asked": bool(breaker.view)}
    view = sys.modules[f"{name}.outfield_core.following"].FarmView().but(**known)
    assembly = sys.modules[f"{name}.submission"].Assembly(bpy.context.scene, {}, view)
    for _ in assembly.gather():
        pass
    found = assembly.inspect()
    files = assembly.facts.files.files
    layout = sys.modules[f"{name}.outfield_core.layout"].lay_out(bpy.data.filepath or "/x.blend", files)
    breaker.manifest = layout.manifest(dict.fromkeys(layout.sources, "0" * 64)).decode()
    return [
        {
            "code": each.code,
            "severity": each.severity,
            "sentence": each.sentence,
            "fix": each.fix,
            "target": each.target,
            "manifest": breaker.manifest,
        }
        for each in [*found, *_always(sys.modules[f"{name}.outfield_core.facts"])]
    ]


def _always(facts: Any) -> list[Any]:
    """One that is always there, so that the manifest of a scene without findings comes back, too."""
    return [facts.Finding("checked", facts.NOTE, "It was checked.")]


def submit_on_bad_disks(path: str) -> dict[str, str]:
    """In Blender: what the operator says when the spool's disk is full, read-only, or a file stands in its place."""
    import bpy
    from addon_acts import addon

    bpy.ops.wm.open_mainfile(filepath=path)
    spools = sys.modules[f"{addon().__name__}.outfield_core.disk"]
    said = {}
    original = spools.os.fsync
    for name, number in (("full", errno.ENOSPC), ("read_only", errno.EROFS)):

        def fail(_handle: int, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        spools.os.fsync = fail
        try:
            bpy.ops.outfield.submit()
            said[name] = "it was submitted"
        except RuntimeError as error:
            said[name] = str(error)
        finally:
            spools.os.fsync = original
    spool = sys.modules[f"{addon().__name__}.session"].current().spool
    spool.folder, good = "/dev/null/spool", spool.folder
    try:
        bpy.ops.outfield.submit()
    except RuntimeError as error:
        said["in_the_way"] = str(error)
    spool.folder = good
    return said
