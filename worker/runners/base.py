"""The port between the agent and whatever makes pixels.

A runner is made once per worker, may keep renderers warm per slot, and is called from the slot's own thread. It
raises `RenderFailed` for what a user or an admin must be told, `RenderCancelled` when it was asked to stop; any other
exception is a bug and is reported as class `infra`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from scheduler.protocol.work import FailureClass, Lease, OutputKind


@dataclass(frozen=True)
class InputFile:
    """A partial on this machine's disk, with what its producer said of it."""

    path: Path
    meta: dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One task, ready to run: the lease, the scene and the inputs as local files, a folder of its own.

    `scratch` is empty, belongs to this attempt alone and is removed after the files were handed over. `slot` is the
    number of the slot (from 0), `threads` how many cores the task may use. `resume` is what an earlier attempt has
    saved of the task; a runner that cannot use it begins anew.
    """

    lease: Lease
    scratch: Path
    scene_path: Path | None = None
    manifest: Path | None = None
    """Of the bundle that the scene came in (`scheduler.protocol.bundles`); its files lie beside it, in `tree`."""
    inputs: tuple[InputFile, ...] = ()
    resume: Path | None = None
    slot: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Produced:
    """One file that a runner has made. `name` is plain (letters, digits, dot, dash, underscore)."""

    path: Path
    kind: OutputKind
    frame: int | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name under which the file is staged."""
        return self.path.name


class Picture(Protocol):
    """Where a running task may show what its picture looks like so far. Costs nothing while none is due."""

    side_px: int

    def due(self) -> bool:
        """Whether a new picture is wanted now."""
        ...

    def show(self, make: Callable[[], bytes]) -> None:
        """Hand over what makes a small PNG or WebP, no side longer than `side_px`; it is called in another thread."""
        ...


class NoPicture:
    """Nobody wants to see any."""

    side_px = 0

    def due(self) -> bool:
        """Never."""
        return False

    def show(self, make: Callable[[], bytes]) -> None:
        """Pass it over."""


@dataclass
class Reporter:
    """How a running task talks back: progress in [0, 1] with a note, log lines, and whether it should stop.

    `keep` is set beside `cancelled` where the task will go on elsewhere: a runner that can hands over what it has so
    far with `RenderCancelled`, within seconds.
    """

    progress: Callable[[float, str], None]
    log: Callable[[str], None]
    cancelled: threading.Event
    picture: Picture = field(default_factory=NoPicture)
    keep: threading.Event = field(default_factory=threading.Event)


class RenderFailed(Exception):
    """A task that did not succeed, in words for the artist. `failure` decides who pays for the retry."""

    def __init__(self, message: str, failure: FailureClass = "user", exit_code: int | None = None) -> None:
        self.message = message
        self.failure: FailureClass = failure
        self.exit_code = exit_code
        super().__init__(message)


class RenderCancelled(Exception):
    """The task was asked to stop, and did. `saved` is the checkpoint that it was asked to keep, if there is one."""

    def __init__(self, saved: Produced | None = None) -> None:
        self.saved = saved
        super().__init__()


class Runner(Protocol):
    """What a renderer must offer."""

    name: str

    def versions(self) -> dict[str, Any]:
        """Versions and details found on this machine: {"versions": ["3.4.1"], …}; no versions: not available."""
        ...

    def run(self, work: Work, reporter: Reporter) -> list[Produced]:
        """Render or merge; returns the files made, all inside `work.scratch`."""
        ...

    def warm(self) -> list[str]:
        """Jobs whose scene is open in a renderer process of this runner."""
        ...

    def get_ready(self) -> None:
        """The worker is idle: prepare what the next task will need in any case. Called again and again."""
        ...

    def forget(self, job: str) -> None:
        """Let go of everything that is in memory of a job's scene; no task of it runs."""
        ...

    def close(self) -> None:
        """End every process this runner has started."""
        ...
