"""A real Blender window under Xvfb, driven by one timer: what an artist sees, and how long the main thread is held.

In the tests `run_window` starts it; in Blender an act is a generator that yields the seconds until it goes on.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # Blender does not look beside a script
from blender_inside import MARK, AddonHome, installed

SIZE = (640, 1000)
TIMEOUT_S = 170.0


def window_argv(home: AddonHome, act: str, arguments: list[Any], scene: str = "") -> list[str]:
    """The command line of a window that runs one act."""
    width, height = (str(side) for side in SIZE)
    text = json.dumps({"zip": str(home.zip), "act": act, "arguments": arguments})
    own = str(Path(__file__).resolve())
    blender = [str(home.program), "--factory-startup"] if not scene else [str(home.program), "--factory-startup", scene]
    geometry = ["-p", "0", "0", width, height]
    # Blender's own splash covers the window unless a file is named.
    return ["xvfb-run", "-a", "-s", f"-screen 0 {width}x{height}x24", *blender, *geometry, "--python", own, "--", text]


def run_window(home: AddonHome, act: str, *arguments: Any, scene: str = "") -> Any:
    """Run an act in a window of its own; returns what it returned."""
    environment = {**home.environ(), "LIBGL_ALWAYS_SOFTWARE": "1"}
    process = subprocess.Popen(
        window_argv(home, act, list(arguments), scene), cwd=home.folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise AssertionError(output[-4000:]) from None
    answers = [json.loads(line[len(MARK) :]) for line in output.splitlines() if line.startswith(MARK)]
    assert process.returncode == 0 and answers, output[-4000:]
    return answers[-1]


# ---- From here on in Blender ---------------------------------------------------------------------------------------


def render_properties() -> Any:
    """Make the largest area the Render properties; a generator, whose result is the area."""
    import bpy

    screen = bpy.context.window_manager.windows[0].screen
    area = max(screen.areas, key=lambda each: each.width * each.height)
    area.type = "PROPERTIES"
    yield 0.3  # it has no contexts before it was drawn once
    area.spaces.active.context = "RENDER"
    yield 0.3
    for panel in list(bpy.types.Panel.__subclasses__()):
        is_other = getattr(panel, "bl_context", "") == "render" and not panel.__name__.startswith("OUTFIELD_")
        if is_other and panel.is_registered:
            bpy.utils.unregister_class(panel)  # or ours would be far down the page
    area.tag_redraw()
    yield 0.3
    return area


def picture(path: str, area: Any) -> None:
    """Take the area as it is."""
    import bpy

    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, screen=window.screen, area=area):
        bpy.ops.screen.screenshot_area(filepath=path)


class Stopwatch:
    """How long the main thread goes without coming back to the event loop: the gaps between turns of a timer."""

    def __init__(self, doing: Any = str) -> None:
        self.gaps: list[tuple[float, float, str]] = []
        """Of each turn: the main thread's own time, the time on the wall (which others' load is part of), and what."""
        self._doing = doing
        self._last_s = self._last_own_s = 0.0
        self._running = False

    def start(self) -> None:
        """Begin with the next turn of the event loop."""
        import bpy

        self._running, self._last_s, self._last_own_s = True, time.perf_counter(), time.thread_time()
        bpy.app.timers.register(self._turn)

    def stop(self) -> None:
        """End with the next turn."""
        self._running = False

    def _turn(self) -> float | None:
        """Asks to be called again at once."""
        now_s, own_s = time.perf_counter(), time.thread_time()
        self.gaps.append((own_s - self._last_own_s, now_s - self._last_s, self._doing()))
        self._last_s, self._last_own_s = now_s, own_s
        return 0.0 if self._running else None


def _main(text: str) -> None:
    import bpy

    given = json.loads(text)
    module, _, name = given["act"].partition(":")

    def whole() -> Any:
        installed(given["zip"])
        yield 0.3
        answer = yield from getattr(importlib.import_module(module), name)(*given["arguments"])
        sys.stdout.write(MARK + json.dumps(answer) + "\n")
        sys.stdout.flush()

    running = whole()

    def step() -> float | None:
        try:
            return next(running)
        except StopIteration:
            bpy.ops.wm.quit_blender()
        except BaseException:  # noqa: BLE001 - the test prints it
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(9)
        return None

    bpy.app.timers.register(step, first_interval=0.5)


if __name__ == "__main__":
    _main(sys.argv[sys.argv.index("--") + 1])
