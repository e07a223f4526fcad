"""Real Blenders for these tests: apt's `blender` and bpy 4.5, each with its scenes, references and one runner."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from blend_scenes import SceneOptions, make_scenes, render_animation
from components import require

from scheduler.protocol.work import Lease, Scene
from worker.runners.base import InputFile, Produced, Reporter, Work
from worker.runners.blender import BlenderRunner

SCENES = {
    "png": SceneOptions(markers=True, animated_seed=True),
    "exr": SceneOptions(file_format="OPEN_EXR", color_depth="16", adaptive=True),
    "jpg": SceneOptions(file_format="JPEG", color_mode="RGB", end=2),
    "deep": SceneOptions(color_depth="16", color_mode="RGB", transparent=True, end=2),
    "glass": SceneOptions(width=61, height=37, transparent=True),
    "many": SceneOptions(samples=64, width=32, height=18),
    "odd": SceneOptions(width=1000, height=251, samples=1),
    "odder": SceneOptions(width=1080, height=607, samples=1),
    "wide": SceneOptions(width=1920, height=8, samples=1),
    "blur": SceneOptions(compositor="blur", transparent=True),
    "normal": SceneOptions(compositor="normal"),
    "file": SceneOptions(compositor="file"),
    "multilayer": SceneOptions(file_format="OPEN_EXR_MULTILAYER", color_depth="16", compositor="normal"),
    "layers": SceneOptions(layers=True),
    "region": SceneOptions(border=True),
    "noisy": SceneOptions(adaptive=True, denoise=True),
    "movie": SceneOptions(file_format="FFMPEG", color_mode="RGB"),
    "persistent": SceneOptions(extra={"render.use_persistent_data": True}, animated_seed=True, end=4),
    "long": SceneOptions(samples=1_000_000),
}

SLOTS = 5


@dataclass
class Bench:
    """Runs tasks of one program through its runner, and keeps what they said."""

    program: Path
    runner: BlenderRunner
    scenes: dict[str, Path]
    folder: Path
    log: list[str] = field(default_factory=list)
    progress: list[tuple[float, str]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    count: int = 0
    slot: int = 0

    def work(self, scene: str | Path, *, inputs: list[Produced] | None = None, slot: int = -1, **lease: Any) -> Work:
        """A task on a scene, by name or path, in a scratch folder of its own.

        Scenes are spread over a few slots, so that their Blenders need not be started for every test anew.
        """
        self.count += 1
        self.slot = slot if slot >= 0 else list(SCENES).index(scene) % SLOTS if isinstance(scene, str) else SLOTS
        scratch = self.folder / f"scratch-{self.count}"
        scratch.mkdir()
        trusted = lease.pop("trusted", False)
        values: dict[str, Any] = {
            "task": self.count,
            "attempt": 1,
            "secret": "",
            "job": "00001",
            "kind": "render",
            "renderer": "blender",
            "frames": [1],
            "format": "png",
            "settings": {},
            "scene": Scene(path="scene.blend", trusted=trusted),
        }
        files = tuple(InputFile(item.path, item.meta) for item in inputs or ())
        path = self.scenes[scene] if isinstance(scene, str) else scene
        return Work(Lease(**values | lease), scratch, path, inputs=files, slot=self.slot, threads=os.cpu_count() or 1)

    def run(self, scene: str | Path, **task: Any) -> list[Produced]:
        """Run a task; see `work`."""
        return self.runner.run(self.work(scene, **task), self.reporter())

    def reporter(self) -> Reporter:
        self.log.clear()
        self.progress.clear()
        self.cancelled.clear()
        return Reporter(lambda *said: self.progress.append(said), self.log.append, self.cancelled)

    def frame(self, scene: str | Path, frame: int = 1, **task: Any) -> Path:
        """The file of one whole frame."""
        return self.run(scene, frames=[frame], **task)[0].path

    def pid(self) -> int:
        """The Blender of the last task's slot."""
        return self.runner._slots._idle[self.slot].session.pid


@pytest.fixture(scope="session", params=["blender", "bpy"])
def program(request: pytest.FixtureRequest) -> Path:
    return require(request.param)


@pytest.fixture(scope="session")
def scenes(program: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_scenes(program, tmp_path_factory.mktemp("scenes"), SCENES)


@pytest.fixture(scope="session")
def reference(
    program: Path, scenes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], list[Path]]:
    """What `blender -b FILE -a` makes of a scene; each is rendered once."""
    made: dict[str, list[Path]] = {}

    def render(name: str) -> list[Path]:
        if name not in made:
            made[name] = render_animation(program, scenes[name], tmp_path_factory.mktemp(name))
        return made[name]

    return render


@pytest.fixture(scope="session")
def runner(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlenderRunner]:
    environment = {**os.environ, "OUTFIELD_TOKEN": "very-secret", "PYTHONPATH": "/nowhere"}
    runner = BlenderRunner([program], folder=tmp_path_factory.mktemp("private"), environment=environment)
    yield runner
    runner.close()


@pytest.fixture
def bench(program: Path, runner: BlenderRunner, scenes: dict[str, Path], tmp_path: Path) -> Bench:
    return Bench(program, runner, scenes, tmp_path)
