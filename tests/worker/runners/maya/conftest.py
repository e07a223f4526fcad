"""A worker's Maya runner over a fake `Render`, and tasks for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_render import installed, scene_text

from scheduler.protocol.work import Lease, Scene
from worker.runners.base import Produced, RenderFailed, Reporter, Work
from worker.runners.maya import MayaRunner


@dataclass
class Bench:
    """Runs tasks through one runner, and keeps what they said."""

    runner: MayaRunner
    folder: Path
    log: list[str] = field(default_factory=list)
    progress: list[tuple[float, str]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    on_line: Callable[[str], None] = lambda _: None
    count: int = 0

    def scene(self, *fakes: str, name: str = "shot.ma", **said: Any) -> Path:
        """A scene on shared storage."""
        path = self.folder / "scenes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(scene_text(*fakes, **said), encoding="utf-8")
        return path

    def work(self, scene: Path, manifest: Path | None = None, **lease: Any) -> Work:
        """A task in a scratch folder of its own."""
        self.count += 1
        scratch = self.folder / f"scratch-{self.count}"
        scratch.mkdir()
        values: dict[str, Any] = {
            "task": self.count, "attempt": 1, "secret": "", "job": "00001", "kind": "render", "renderer": "maya",
            "frames": [1], "format": "png", "settings": {},
            "scene": Scene(str(scene), version=lease.pop("version", "2024"), trusted=lease.pop("trusted", False)),
        }  # fmt: skip
        return Work(Lease(**values | lease), scratch, scene, manifest=manifest, threads=2)

    def reporter(self) -> Reporter:
        def log(line: str) -> None:
            self.log.append(line)
            self.on_line(line)

        return Reporter(lambda *said: self.progress.append(said), log, self.cancelled)

    def run(self, scene: Path, **task: Any) -> list[Produced]:
        return self.runner.run(self.work(scene, **task), self.reporter())

    def fail(self, scene: Path, **task: Any) -> RenderFailed:
        with pytest.raises(RenderFailed) as failed:
            self.run(scene, **task)
        return failed.value

    @property
    def commands(self) -> int:
        """How many Mayas were started."""
        return sum(line.startswith("Starting ") for line in self.log)


@pytest.fixture
def environment() -> dict[str, str]:
    """A worker's own, of which Maya must not see all."""
    return {"PATH": os.environ["PATH"], "OUTFIELD_TOKEN": "secret", "PYTHONPATH": "/evil", "LD_PRELOAD": ""}


@pytest.fixture
def bench(tmp_path: Path, environment: dict[str, str]) -> Bench:
    render = installed(tmp_path / "autodesk")
    return Bench(MayaRunner([render], environment=environment), tmp_path)
