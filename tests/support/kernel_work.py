"""Leases for the kernel runner, made and run in one line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scheduler.protocol.work import Lease, Scene
from worker.runners.base import InputFile, Produced, Reporter, Work
from worker.runners.kernel import KernelRunner

SMALL: dict[str, Any] = {"width": 32, "height": 24, "samples": 3, "ao_samples": 2}


class Tasks:
    """Runs leases in folders of their own below `folder`."""

    def __init__(self, runner: KernelRunner, folder: Path) -> None:
        self.runner = runner
        self.folder = folder
        self.progress: list[tuple[float, str]] = []
        self.lines: list[str] = []
        self._count = 0

    def run(
        self,
        settings: dict[str, Any] | None = None,
        *,
        mesh: Path | None = None,
        inputs: tuple[InputFile, ...] = (),
        on_progress: Callable[[float], None] = lambda fraction: None,
        cancelled: threading.Event | None = None,
        keep: threading.Event | None = None,
        resume: Path | None = None,
        threads: int = 2,
        **lease: Any,
    ) -> list[Produced]:
        """The files made by a lease for frame 1 of the built-in scene, changed by `lease`."""
        self._count += 1
        scratch = self.folder / str(self._count)
        scratch.mkdir()
        fields: dict[str, Any] = {"kind": "render", "frames": [1], "format": "exr", "name": "test", "job": "00001"}
        fields |= {"settings": SMALL | (settings or {}), "scene": Scene()} | lease

        def progress(fraction: float, note: str) -> None:
            self.progress.append((fraction, note))
            on_progress(fraction)

        stop, kept = cancelled or threading.Event(), keep or threading.Event()
        reporter = Reporter(progress, self.lines.append, stop, keep=kept)
        work = Work(
            Lease(task=1, attempt=1, secret="s", renderer="kernel", **fields),
            scratch,
            scene_path=mesh,
            inputs=inputs,
            resume=resume,
            threads=threads,
        )
        return self.runner.run(work, reporter)

    def partial(self, settings: dict[str, Any] | None = None, **lease: Any) -> InputFile:
        """A partial, as the next task's input."""
        (produced,) = self.run(settings, partial=True, **lease)
        return InputFile(produced.path, produced.meta)

    def merge(self, *inputs: InputFile, **lease: Any) -> Produced:
        """What a merge of `inputs` makes."""
        (produced,) = self.run(kind="merge", inputs=inputs, **lease)
        return produced
