"""Which renderers a worker can have, and where their runners are: imported only when one is needed.

Importing a runner may cost a second (Numba), so the names stand here as text.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from worker.runners.base import Runner
from worker.telemetry import logger

_log = logger("runners")


@dataclass(frozen=True)
class RunnerSpec:
    """Where a runner is (`module`, `factory`, called without arguments) and the programs that it drives: the probe's
    answer is remembered until one of these changes. `listed_in` is the environment's own list of them, if it has one;
    without one they are on the PATH, or at `places`, where installers put them and what they need (with `*`).
    """

    module: str
    factory: str
    programs: tuple[str, ...] = ()
    listed_in: str = ""
    places: tuple[str, ...] = ()


MAYA_PLACES = (
    "/usr/autodesk/maya20*/bin/Render",
    "/opt/autodesk/maya20*/bin/Render",
    "/Applications/Autodesk/maya20*/Maya.app/Contents/bin/Render",
    "C:/Program Files/Autodesk/Maya20*/bin/Render.exe",
)
"""Where Autodesk's installers put Maya (Autodesk, "Set up command line rendering")."""

MAYA_PLUG_INS = (
    "/usr/autodesk/maya20*/bin/rendererDesc",
    "/usr/autodesk/modules/maya/20*",
    "/Applications/Autodesk/maya20*/Maya.app/Contents/bin/rendererDesc",
    "C:/Program Files/Autodesk/Maya20*/bin/rendererDesc",
    "C:/Program Files/Common Files/Autodesk Shared/Modules/maya/20*",
)
"""Folders that gain a file when an engine is installed into one of them."""

RUNNERS: Mapping[str, RunnerSpec] = {
    "kernel": RunnerSpec("worker.runners.kernel", "KernelRunner"),
    "blender": RunnerSpec(
        "worker.runners.blender", "BlenderRunner", programs=("blender",), listed_in="OUTFIELD_BLENDER__EXECUTABLES"
    ),
    "maya": RunnerSpec(
        "worker.runners.maya",
        "MayaRunner",
        programs=("Render",),
        listed_in="OUTFIELD_MAYA__EXECUTABLES",
        places=(*MAYA_PLACES, *MAYA_PLUG_INS),
    ),
    "null": RunnerSpec("worker.runners.null", "NullRunner"),
}


def placed(patterns: Sequence[str]) -> list[Path]:
    """What lies at these absolute paths, in which `*` stands for any name; those of other systems are passed over."""
    absolute = [Path(pattern) for pattern in patterns if Path(pattern).is_absolute()]
    return [found for path in absolute for found in sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))]


class UnknownRenderer(Exception):
    """This worker has no such renderer."""


class RunnerRegistry:
    """The runners of one worker, each made once, when it is first asked for. Thread-safe."""

    def __init__(self, names: Sequence[str] = (), specs: Mapping[str, RunnerSpec] = RUNNERS) -> None:
        unknown = [name for name in names if name not in specs]
        if unknown:
            raise UnknownRenderer(f"There is no renderer {unknown[0]!r}; there are {', '.join(sorted(specs))}.")
        self.specs = {name: spec for name, spec in specs.items() if not names or name in names}
        self._lock = threading.Lock()
        self._made: dict[str, Runner] = {}
        self._making: dict[str, threading.Lock] = {name: threading.Lock() for name in self.specs}

    def get(self, name: str) -> Runner:
        """The runner of a renderer.

        Raises:
            UnknownRenderer: the worker does not offer it.
        """
        if name not in self.specs:
            raise UnknownRenderer(f"This worker has no renderer {name!r}.")
        with self._making[name]:
            made = self._made.get(name)
            if made is None:
                spec = self.specs[name]
                factory = cast(Callable[[], Runner], getattr(importlib.import_module(spec.module), spec.factory))
                made = factory()
                with self._lock:
                    self._made[name] = made
            return made

    def warm(self) -> list[str]:
        """Jobs whose scene is open in some renderer."""
        return [job for runner in self._runners() for job in runner.warm()]

    def get_ready(self) -> None:
        """Nothing is being rendered: let the runners that have been used prepare for the next task."""
        for runner in self._runners():
            runner.get_ready()

    def forget(self, job: str) -> None:
        """No runner keeps anything of a job's scene in memory after this."""
        for runner in self._runners():
            runner.forget(job)

    def close(self) -> None:
        """End every process that a runner has started; one that fails to does not keep the others alive."""
        for runner in self._runners():
            try:
                runner.close()
            except Exception:  # noqa: BLE001 - the next one must be closed too
                _log.exception("runner_close_failed", runner=runner.name)

    def _runners(self) -> list[Runner]:
        with self._lock:
            return list(self._made.values())
