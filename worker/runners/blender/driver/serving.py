"""The driver's loop: take a command, carry it out, answer; whatever goes wrong becomes an answer too."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import traceback
from typing import Any

import bpy

from worker.runners.blender.driver.channel import Channel
from worker.runners.blender.driver.developing import DevelopEngine
from worker.runners.blender.driver.engines import Engines
from worker.runners.blender.driver.opening import capabilities, open_file
from worker.runners.blender.driver.refusals import Refused
from worker.runners.blender.driver.rendering import Renderer

HARMLESS = {"unknown_name", "not_a_camera", "bad_setting", "no_gpu", "no_denoiser", "unknown_engine", "no_view_layer"}
HARMLESS |= {"two_eyes", "cannot_split", "too_many_tiles"}
"""Refusals of what was asked, which leave the process as it was."""


def serve() -> None:
    """Serve commands until stdin closes; then the process is ended from another thread."""
    channel = Channel()
    desk = _Desk(channel)
    while True:
        answer = _answer(desk, channel.next())
        channel.end_log()
        channel.emit(**answer)


def _answer(desk: _Desk, command: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"event": "done", **desk.carry_out(command)}
    except Refused as refused:
        return {
            "event": "refused",
            "code": refused.code,
            "data": refused.data,
            "reusable": desk.is_unharmed(refused.code),
        }
    except MemoryError:
        return {"event": "refused", "code": "out_of_memory", "data": {}, "reusable": False}
    except Exception:  # noqa: BLE001 - whatever it was, the worker is told; and it will not use this process again
        return {"event": "refused", "code": "bug", "data": {"text": traceback.format_exc()}, "reusable": False}


class _Desk:
    """What is open, and which command goes where."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._renderer: Renderer | None = None

    def carry_out(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what the command says; the answer's data."""
        op = command["op"]
        if op == "probe":
            return {"capabilities": capabilities()}
        if op == "open":
            return self._open(command)
        if op == "ping":
            return {}
        assert self._renderer is not None, "a file is opened first"
        act = {"render": self._renderer.render, "part": self._renderer.render_part, "develop": self._renderer.develop}[
            op
        ]
        return {"reusable": act(command)}

    def is_unharmed(self, code: str) -> bool:
        """Whether the open file may be used again after a refusal: only if that came before anything was rendered."""
        return code in HARMLESS and self._renderer is not None and self._renderer.is_clean()

    def _open(self, command: dict[str, Any]) -> dict[str, Any]:
        import addon_utils  # found only once bpy is there

        for name in command["addons"]:
            if addon_utils.enable(name, default_set=True) is None:
                raise Refused("no_addon", name=name)
        engines = Engines()
        bpy.context.preferences.edit.use_negative_frames = True  # else frame -5 is taken to be 0
        open_file(command["path"], command["trusted"], command.get("manifest", ""))
        bpy.utils.register_class(DevelopEngine)
        # Since Blender 5 progress is no longer printed; before, the handler was given no text.
        bpy.app.handlers.render_stats.append(self._on_stats)
        self._renderer = Renderer(self._channel, engines, command["threads"])
        return {"blocked": bpy.app.autoexec_fail_message if bpy.app.autoexec_fail else ""}

    def _on_stats(self, *arguments: Any) -> None:
        if arguments and isinstance(arguments[0], str):
            self._channel.emit("stats", text=arguments[0])
