"""The renderer `maya`: a task's frames become command lines of `Render`, what it writes becomes the task's frames.

Maya's command line program renders and ends, so nothing stays open from task to task; frames of a task that lie in a
row are rendered by one process.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.clock import Clock, SystemClock
from worker.runners.base import Produced, RenderCancelled, RenderFailed, Reporter, Work
from worker.runners.maya import discovery, failures
from worker.runners.maya.command import NotPlain
from worker.runners.maya.discovery import Maya
from worker.runners.maya.environment import maya_environment
from worker.runners.maya.settings import load_maya_setup
from worker.runners.maya.task import Task
from worker.runners.process_tree import ProcessTree
from worker.runners.registry import MAYA_PLACES


class MayaRunner:
    """Renders Maya scenes with the Mayas of this machine. Thread-safe: each task has its own process and folder."""

    name = "maya"

    def __init__(
        self,
        executables: Sequence[str | Path] = (),
        *,
        environment: Mapping[str, str] | None = None,
        places: Sequence[str] = MAYA_PLACES,
        clock: Clock | None = None,
    ) -> None:
        """What is left out comes from the settings. Nothing is started before it is needed."""
        self._setup = load_maya_setup(environment)
        self._named: Sequence[str | Path] = executables or self._setup.executables
        self._places = places
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._mayas: list[Maya] | None = None
        self._running: set[ProcessTree] = set()
        self._closed = False

    def versions(self) -> dict[str, Any]:
        """The Mayas of this machine and the engines that each can drive; no versions: there is none."""
        mayas = self.mayas()
        versions = sorted({maya.version for maya in mayas}, key=discovery.parse_version)
        return {"versions": versions, "mayas": [maya.described() for maya in mayas]}

    def mayas(self) -> list[Maya]:
        """The Mayas of this machine, looked for once."""
        with self._lock:
            if self._mayas is None:
                programs = discovery.find_programs(self._named, self._setup.environment, self._places)
                found = [discovery.recognise(path, self._setup.environment) for path in programs]
                self._mayas = [maya for maya in found if maya is not None]
            return self._mayas

    def run(self, work: Work, reporter: Reporter) -> list[Produced]:
        """Render the task's frames.

        Raises:
            RenderFailed, RenderCancelled: see `worker.runners.base`.
        """
        lease = work.lease
        if lease.kind != "render" or lease.partial:
            raise RenderFailed("Maya's frames are rendered whole. Submit the job again, without a split.")
        if not lease.scene.trusted:
            if self._setup.trusted_only:
                raise failures.not_trusted()
            reporter.log("Maya runs what scripts the scene holds; the farm has not been told to trust it.")
        maya = self._choose(work)
        reporter.log(f"Maya {maya.version} ({maya.render}), engine {lease.settings.get('engine', 'file')}.")
        try:
            return Task(work, reporter, maya, self).render()
        except NotPlain as error:
            raise failures.not_plain(str(error)) from error

    def environment(self, home: Path, maya: Maya) -> dict[str, str]:
        """What a Maya of this worker sees."""
        return maya_environment(self._setup.environment, home, maya.location, also=self._setup.variables)

    @property
    def clock(self) -> Clock:
        """What time-outs are measured by."""
        return self._clock

    def started(self, process: ProcessTree) -> None:
        """A process of this runner runs; `close` will end it.

        Raises:
            RenderCancelled: this runner is closed.
        """
        with self._lock:
            if self._closed:
                raise RenderCancelled
            self._running.add(process)

    def ended(self, process: ProcessTree) -> None:
        """It does not run any more."""
        with self._lock:
            self._running.discard(process)

    def warm(self) -> list[str]:
        """Nothing stays open."""
        return []

    def get_ready(self) -> None:
        """Nothing to prepare: a Maya without a scene holds a licence and saves seconds."""

    def forget(self, job: str) -> None:
        """Nothing is kept of a job."""

    def close(self) -> None:
        """End every Maya."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            process.kill()

    def _choose(self, work: Work) -> Maya:
        """The Maya for a task's scene.

        Raises:
            RenderFailed: there is none, or no scene.
        """
        path = work.scene_path
        if path is None or not path.is_file():
            raise RenderFailed(f"The scene {path or work.lease.scene.name or ''} is not there. Submit it again.")
        saved_by = work.lease.scene.version
        engine = str(work.lease.settings.get("engine", "file"))
        mayas = self.mayas()
        chosen = discovery.choose(mayas, discovery.parse_version(saved_by), engine)
        if chosen is None:
            have = [f"{maya.version} ({', '.join(maya.engines)})" for maya in mayas]
            raise failures.no_version(saved_by, engine, have)
        return chosen
