"""Acts in a window on how the copy of a changed scene is written: by a child, and by the window when a child fails."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from addon_acts import session_state, spool_content
from addon_pictures import connect, here, until
from blender_window import render_properties

HANG_S = 60.0


def writing() -> Any:
    """The add-on's module."""
    return sys.modules[f"{importlib.import_module('outfield').__name__}.writing"]


def copies(_unused: Any = None) -> Iterator[float]:
    """Submit a changed scene in every way in which its copy may come to be, or not; what became of each."""
    import bpy

    connect("http://127.0.0.1:9", "x")
    yield from render_properties()
    told: dict[str, Any] = {}
    for name, (target, change) in WAYS.items():
        bpy.ops.ed.undo_push(message=name)
        bpy.data.objects["Camera"].location.x += 1.0
        state, parent, before = session_state(), os.getpid(), spool_content()
        kept = {each.key for each in here().spool.waiting()}
        with patch(f"{writing().__name__}.{target}", change(parent)):
            yield from _submit()
        told[name] = {
            "messages": [text for _, text in here().messages],
            "same_session": session_state() == state,
            "children": Path(f"/proc/self/task/{parent}/children").read_text(),
            "left": sorted(set(spool_content()) - set(before)),
            "copies": [
                str(Path(each.folder, "light.blend")) for each in here().spool.waiting() if each.key not in kept
            ],
            "at": bpy.data.objects["Camera"].location.x,
        }
        here().messages.clear()
    return told


def cameras(*paths: str) -> list[float]:
    """Where the camera stands in each of these files."""
    import bpy

    found = []
    for path in paths:
        bpy.ops.wm.open_mainfile(filepath=path)
        found.append(bpy.context.scene.camera.location.x)
    return found


def stop_meanwhile(_unused: Any = None) -> Iterator[float]:
    """Press Cancel while a child writes."""
    import bpy

    connect("http://127.0.0.1:9", "x")
    yield from render_properties()
    bpy.ops.ed.undo_push(message="a change")
    before = set(spool_content())
    with patch(f"{writing().__name__}.write", _hangs(os.getpid())):
        bpy.ops.outfield.submit("INVOKE_DEFAULT")
        yield from until(lambda: here().flow.phase == "saving")
        yield 0.3
        half = set(spool_content()) - before
        bpy.ops.outfield.stop()
        yield from until(lambda: here().flow is None)
    return {
        "half": sorted(half),
        "left": sorted(set(spool_content()) - before),
        "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
    }


def _submit() -> Iterator[float]:
    import bpy

    bpy.ops.outfield.submit("INVOKE_DEFAULT")
    yield from until(lambda: here().flow is None)


def _same(_parent: int) -> Callable[..., None]:
    return writing().write


def _no_fork(_parent: int) -> Callable[..., int]:
    def refused() -> int:
        raise OSError(12, "Cannot allocate memory")

    return refused


def _killed(_parent: int) -> Callable[..., None]:
    return lambda *_: os.kill(os.getpid(), signal.SIGKILL)


def _stolen(_parent: int) -> Callable[[int, int], None]:
    wait = os.waitpid

    def stolen(child: int, _flags: int) -> None:
        wait(child, 0)
        raise ChildProcessError(10, "No child processes")

    return stolen


def _hangs(parent: int) -> Callable[[str], None]:
    write = writing().write

    def slow(target: str) -> None:
        if os.getpid() != parent:
            Path(target).write_bytes(b"BLENDER-half")
            signal.alarm(1)
            time.sleep(HANG_S)
        write(target)

    return slow


def _full(parent: int) -> Callable[[str], None]:
    def full(target: str) -> None:
        assert os.getpid() != parent
        Path(target).write_bytes(b"BLENDER-half")
        raise RuntimeError("No space left on device")

    return full


WAYS: dict[str, tuple[str, Callable[[int], Callable[..., Any]]]] = {
    "by a child": ("write", _same),
    "no memory for a child": ("os.fork", _no_fork),
    "the child is killed": ("_write_and_end", _killed),
    "somebody else waits for the child": ("os.waitpid", _stolen),
    "the child hangs": ("write", _hangs),
    "the disk is full": ("write", _full),
}
