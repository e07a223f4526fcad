"""Acts of an artist: work, submit, undo, switch the add-on off and on; and of fate: kill -9 in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from addon_acts import addon, session_state, stamp
from addon_pictures import connect, here, until
from blender_window import render_properties


def work_and_submit(server: str, token: str) -> Iterator[float]:
    """Two changes, a submission, then back and forth through the undo history."""
    import bpy

    connect(server, token)
    yield from render_properties()
    path = bpy.data.filepath
    before = stamp(path)
    for name in ("First", "Second"):
        bpy.context.scene.collection.objects.link(bpy.data.objects.new(name, None))
        bpy.ops.ed.undo_push(message=name)
        yield 0.1
    state = session_state()
    bpy.ops.outfield.submit("INVOKE_DEFAULT")
    yield from until(lambda: here().messages)
    answer = {
        "messages": [text for _, text in here().messages],
        "session": [state, session_state()],
        "history": [],
    }
    for step in ("undo", "undo", "redo", "redo"):
        window = bpy.context.window_manager.windows[0]
        with bpy.context.temp_override(window=window, screen=window.screen):
            getattr(bpy.ops.ed, step)()
        yield 0.1
        answer["history"].append([name in bpy.data.objects for name in ("First", "Second")])
    answer["same_file"] = stamp(path) == before
    answer["off"], answer["on"] = [], []
    for _ in range(2):
        answer["off"].append((yield from _switch(on=False)))
        answer["on"].append((yield from _switch(on=True)))
    answer["same_file_at_the_end"] = stamp(path) == before
    return answer


def _switch(*, on: bool) -> Iterator[float]:
    import bpy

    name = addon().__name__
    if on:
        bpy.ops.preferences.addon_enable(module=name)
    else:
        bpy.ops.preferences.addon_disable(module=name)
    yield 1.0
    return traces()


def traces() -> dict[str, Any]:
    """What of the add-on Blender knows at this moment."""
    import bpy

    follow = sys.modules[f"{addon().__name__}.follow"]
    handlers = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    return {
        "classes": sorted(name for name in dir(bpy.types) if name.startswith("OUTFIELD_")),
        "operators": sorted(dir(bpy.ops.outfield)),
        "property": hasattr(bpy.types.Scene, "outfield"),
        "timer": bpy.app.timers.is_registered(follow.tick),
        "threads": sorted(each.name for each in threading.enumerate() if each.name.startswith("outfield")),
        "handlers": sum(len(each) for each in handlers if isinstance(each, list) and _ours(each)),
    }


def _ours(functions: list[Any]) -> bool:
    return any("outfield" in getattr(each, "__module__", "") for each in functions)


def registered_and_back() -> dict[str, Any]:
    """In background: what is there while it is on, off, and on again; as an extension also its other name."""
    import bpy

    name = addon().__name__
    found = {"on": traces()}
    bpy.ops.preferences.addon_disable(module=name)
    alias = sys.modules.get("outfield")
    found["alias"] = alias is not None and alias.__name__ != "outfield"
    classes = sorted(each for each in dir(bpy.types) if each.startswith("OUTFIELD_"))
    found["off"] = {"classes": classes, "property": hasattr(bpy.types.Scene, "outfield")}
    bpy.ops.preferences.addon_enable(module=name)
    found["again"] = traces()
    return found


def die_while(stage: str, path: str, server: str, token: str) -> None:
    """Open, submit, and be killed: when the copy is `saved` and not yet kept, or when it is `kept` and not yet sent."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=path)
    connect(server, token)

    def die(*_arguments: Any, **_named: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if stage == "saved":
        sys.modules[f"{addon().__name__}.submission"].Assembly.commit = die
    else:
        sys.modules[f"{addon().__name__}.outfield_core.delivery"].deliver = die
    bpy.ops.outfield.submit()


def connected(server: str, token: str) -> None:
    """Start with this farm, and end: what was kept is sent by the add-on itself."""
    connect(server, token)
    here().look()
    here().wake()
    end()


def nothing() -> None:
    """Start and end."""
    end()


def end() -> None:
    """What Blender does when it is quit, and a test's `os._exit` would leave out."""
    import addon_utils

    addon_utils.disable(addon().__name__)


def call_in_python(path: str, server: str, token: str, settings: dict[str, Any]) -> dict[str, Any]:
    """`outfield.submit(scene, **settings)` of a pipeline."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=path)
    connect(server, token)
    with contextlib.suppress(TypeError):
        addon().submit(bpy.context.scene, framse="1-3")
        raise AssertionError("a setting that there is not was taken")
    done = addon().submit(bpy.context.scene, **settings)
    return {"job": done.job_id, "spooled": done.spooled, "text": repr(done)}


def never_saved(server: str, token: str) -> dict[str, Any]:
    """Submit a scene that has no file, with a picture by absolute path; the session stays without a file."""
    import bpy

    connect(server, token)
    bpy.ops.mesh.primitive_cube_add()
    done = addon().submit(bpy.context.scene, output_mode="FARM", job_name="never saved", frames_mode="CURRENT")
    return {"job": done.job_id, "file": bpy.data.filepath, "objects": len(bpy.data.objects)}
