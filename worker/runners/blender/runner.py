"""The renderer `blender`: tasks become commands for a Blender that stays open, its answers become files.

A slot keeps one Blender with one file open (`Slots`); this module says what is asked of it for a task (whole frames,
a tile or sample slice, the merge of such), and checks every file before it calls the task done.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.clock import Clock, SystemClock
from worker.runners.base import Produced, RenderFailed, Reporter, Work
from worker.runners.blender import discovery, failures
from worker.runners.blender.discovery import Blender
from worker.runners.blender.folders import PrivateFolder
from worker.runners.blender.merging import empty_partial, frame_number, merge_inputs
from worker.runners.blender.progress import Progress
from worker.runners.blender.session import BlenderSession, Event, Watch
from worker.runners.blender.settings import load_blender_setup
from worker.runners.blender.slots import Slots
from worker.runners.blender.version_cache import VersionCache
from worker.runners.picture_files import ImageWrong, check_image

FREE_BYTES_MIN = 1 << 20
"""Less free disk than this beside a broken file, and the disk is blamed."""

MERGED_SHARE = 0.7
"""Of a merge's progress, what reading and adding the inputs makes up."""


class BlenderRunner:
    """Renders .blend files with the Blenders of this machine. Thread-safe: each slot has its own process."""

    name = "blender"

    def __init__(
        self,
        executables: Sequence[str | Path] = (),
        *,
        addons: Sequence[str] = (),
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """What is left out comes from the settings. Nothing is started before it is needed."""
        self._setup = load_blender_setup(environment)
        self._named: Sequence[str | Path] = executables or self._setup.executables
        self._clock = clock or SystemClock()
        self._private = PrivateFolder(folder or self._setup.folder)
        self._discovering = threading.Lock()
        self._blenders: list[Blender] | None = None
        self._slots = Slots(
            root=self._private.path,
            environment=self._setup.environment,
            addons=tuple(addons) or self._setup.addons,
            clock=self._clock,
        )

    def versions(self) -> dict[str, Any]:
        """The Blenders of this machine and what each can do; no versions: there is none."""
        details = [self._slots.probe(blender) for blender in self.blenders()]
        versions = sorted({item["version"] for item in details if "version" in item}, key=discovery.parse_version)
        return {"versions": versions, "blenders": details}

    def blenders(self) -> list[Blender]:
        """The Blenders of this machine, looked for once."""
        with self._discovering:
            if self._blenders is None:
                paths = discovery.find_executables(self._named, self._setup.environment)
                found = [self._recognise(path) for path in paths]
                self._blenders = [blender for blender in found if blender is not None]
            return self._blenders

    def _recognise(self, path: Path) -> Blender | None:
        cache = VersionCache(self._setup.cache)
        blender = cache.get(path)
        if blender is None:
            blender = discovery.recognise(path, self._setup.environment, self._private.path / "probe")
            if blender is not None:
                cache.put(blender)
        return blender

    def run(self, work: Work, reporter: Reporter) -> list[Produced]:
        """Render or merge.

        Raises:
            RenderFailed, RenderCancelled: see `worker.runners.base`.
        """
        watch = Watch(reporter, self._clock, work.lease.timeout_s)
        if work.lease.kind == "merge":
            return self._merge(work, watch)
        with self._slots.session(work, self._choose(work), watch) as session:
            return _Task(work, watch, session).render()

    def warm(self) -> list[str]:
        """Jobs whose file is open in a Blender of this runner. Ends Blenders that have been idle for long."""
        return self._slots.warm()

    def get_ready(self) -> None:
        """The worker is idle: have an empty Blender standing by for the next scene."""
        if self._setup.spare:
            self._slots.get_ready()

    def forget(self, job: str) -> None:
        """No Blender keeps the job's file open."""
        self._slots.forget(job)

    def close(self) -> None:
        """End every Blender and remove its files."""
        self._slots.close()
        self._private.remove()

    def _merge(self, work: Work, watch: Watch) -> list[Produced]:
        makers = sorted({str(file.meta.get("blender")) for file in work.inputs})
        if len(makers) > 1:
            watch.reporter.log(f"The parts are by different Blenders ({', '.join(makers)}); there may be seams.")
        merged = merge_inputs(work, lambda share: _merging(watch, share * MERGED_SHARE))
        if not work.lease.final:
            return [merged]
        with self._slots.session(work, self._choose(work), watch) as session:
            frames = _Task(work, watch, session, floor=MERGED_SHARE).develop(merged.path, str(merged.meta["passes"]))
        merged.path.unlink()
        return frames

    def _choose(self, work: Work) -> Blender:
        """The Blender for the file of a task.

        Raises:
            RenderFailed: there is none, or it is no .blend.
        """
        path = work.scene_path
        if path is None or not path.is_file():
            raise RenderFailed(f"The scene {path or work.lease.scene.name or ''} is not there. Submit it again.")
        said = work.lease.scene.version
        try:
            header = discovery.read_header(path)
        except OSError as error:
            raise RenderFailed(f"The worker cannot read the scene: {error}. Check its permissions.", "infra") from error
        version = discovery.saved_version(header)
        if not version and not header.startswith(b"BLENDER"):
            raise failures.not_a_blend(work.lease.scene.name or path.name)
        version = version or discovery.parse_version(said)
        blenders = self.blenders()
        chosen = discovery.choose(blenders, version)
        if chosen is None:
            saved_by = ".".join(str(part) for part in version) or "any version"
            raise failures.no_version(saved_by, [blender.version for blender in blenders])
        return chosen


class _Task:
    """One task in one session: the command, the frames as they come, their progress."""

    def __init__(self, work: Work, watch: Watch, session: BlenderSession, floor: float = 0.0) -> None:
        self._work = work
        self._watch = watch
        self._session = session
        self._produced: list[Produced] = []
        now = watch.clock.monotonic()
        self._progress = Progress(len(work.lease.frames), now, expected_s=session.frame_s, floor=floor)
        watch.on_line = lambda line: self._progress.line(line, watch.clock.monotonic())
        watch.on_time = self._report

    def render(self) -> list[Produced]:
        """Whole frames, or a part of each."""
        lease = self._work.lease
        if not lease.partial:
            return self._ask({"op": "render", "outputs": self._outputs(lease.format)})
        tile = None if lease.tile is None else [lease.tile.col, lease.tile.row, lease.tile.cols, lease.tile.rows]
        part = None if lease.slice is None else [lease.slice.index, lease.slice.count]
        return self._ask({"op": "part", "outputs": self._outputs("part.exr"), "tile": tile, "slice": part})

    def develop(self, source: Path, passes: str) -> list[Produced]:
        """The frame of a merged partial."""
        outputs = self._outputs(self._work.lease.format)
        return self._ask({"op": "develop", "outputs": outputs, "source": str(source), "passes": passes})

    def _ask(self, command: dict[str, Any]) -> list[Produced]:
        lease = self._work.lease
        answer = self._session.ask(
            {**command, "format": lease.format, "settings": lease.settings}, self._watch, self._on_event
        )
        self._session.frame_s = self._progress.frame_s()
        if not answer["reusable"]:
            self._watch.reporter.log("The scene has changed its own settings; its Blender will be started anew.")
        if len(self._produced) != len(lease.frames):
            raise RenderFailed("Blender said that it was done, and frames are missing.", "infra")
        return self._produced

    def _outputs(self, ending: str) -> list[dict[str, Any]]:
        scratch = self._work.scratch
        return [
            {"frame": frame, "path": str(scratch / f"{frame_number(frame)}.{ending}")}
            for frame in self._work.lease.frames
        ]

    def _on_event(self, event: Event) -> None:
        now = self._watch.clock.monotonic()
        frame: int = event["frame"]
        if event["event"] == "begin":
            self._watch.doing = f"rendering frame {frame}"
            self._progress.begin(frame, now)
        else:
            self._produced.append(self._check(event))
            self._progress.end(now)
        self._report()

    def _check(self, event: Event) -> Produced:
        """The file that an event speaks of, looked at."""
        frame, meta = event["frame"], event.get("meta")
        if meta is not None:
            meta = part_meta(meta)
        if event["path"] == "":
            path = empty_partial(self._work.scratch / f"{frame_number(frame)}.part.exr", meta or {})
            return Produced(path, "partial", frame, meta or {})
        path = Path(event["path"])
        size = event["size"]
        if meta is not None:
            x0, y0, x1, y1 = meta["rect"]
            size = (x1 - x0, y1 - y0)
        try:
            check_image(path, "exr" if meta is not None else self._work.lease.format, size)
        except (ImageWrong, OSError) as error:
            raise self._broken(path, frame, error) from error
        return Produced(path, "frame" if meta is None else "partial", frame, meta or {})

    def _broken(self, path: Path, frame: int, error: Exception) -> RenderFailed:
        if shutil.disk_usage(path.parent).free < FREE_BYTES_MIN:
            return failures.disk_full(str(path.parent))
        return RenderFailed(f"Blender wrote frame {frame}, but the file {error}. It is rendered again.", "infra")

    def _report(self) -> None:
        self._watch.reporter.progress(self._progress.fraction(self._watch.clock.monotonic()), self._progress.note)


def part_meta(said: Mapping[str, Any]) -> dict[str, Any]:
    """What the driver said of a part, as the meta of a partial."""
    ranges = [[said["first_sample"], said["samples"]]] if said["samples"] else []
    return {**said, "parts": [[*said["rect"], ranges]]}


def _merging(watch: Watch, share: float) -> None:
    watch.doing = "merging"
    watch.tick()
    watch.reporter.progress(share, "merging")
