"""Acts in a window that end in pictures: the panel as artists see it in five states."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

from blender_window import picture, render_properties

PATIENCE = 300


def connect(server: str, token: str) -> None:
    """Set the preferences."""
    import bpy

    own = bpy.context.preferences.addons[importlib.import_module("outfield").__name__].preferences
    own.server, own.token = server, token


def here() -> Any:
    """The add-on's session."""
    # Not `outfield.session`: as an extension the add-on has another name, and this would be a second copy of it.
    return sys.modules[f"{importlib.import_module('outfield').__name__}.session"].current()


def measured() -> Any:
    """What the add-on's timer has taken of the main thread."""
    return sys.modules[f"{importlib.import_module('outfield').__name__}.follow"].measured


def until(condition: Any) -> Iterator[float]:
    """Wait for something, up to half a minute."""
    for _ in range(PATIENCE):
        if condition():
            return
        yield 0.1
    state = {name: value for name, value in vars(here()).items() if not name.startswith("_")}
    raise AssertionError(f"it did not come to that: {state} {vars(here().follower.view)}")


def one_state(server: str, token: str, settings: dict[str, Any], wait_for: str, path: str) -> Iterator[float]:
    """Show the panel, wait for a state, take its picture."""
    import bpy

    connect(server, token)
    scene = bpy.context.scene
    for name, value in settings.items():
        setattr(scene.outfield, name, value)
    area = yield from render_properties()
    here().look()
    yield from until(WAITS[wait_for])
    yield 0.7
    picture(path, area)
    return {"messages": [text for _, text in here().messages], "found": [each.sentence for each in here().found]}


def _ready() -> bool:
    return here().follower.view.is_live and _was_checked() and here().follower.view.trial is not None


def _offline() -> bool:
    return here().follower.view.error is not None and _was_checked() and len(here().sender.kept) > 0


def _was_checked() -> bool:
    return here().found_s > 0 and here().check is None


def _checked() -> bool:
    return _was_checked() and any(each.severity == "error" for each in here().found)


def _submitting() -> bool:
    if here().flow is None and not here().sender.sending:
        import bpy

        bpy.ops.outfield.submit("INVOKE_DEFAULT")
    return bool(here().sender.sending) and here().sender.watch.stage == "uploading"


def _jobs() -> bool:
    jobs = here().follower.view.jobs
    return bool(jobs) and any(job.preview for job in jobs)


WAITS = {"ready": _ready, "offline": _offline, "errors": _checked, "submitting": _submitting, "jobs": _jobs}
