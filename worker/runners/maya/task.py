"""One task of Maya's: its folders, its command lines, its frames as they come, each looked for, opened and measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from scheduler.protocol.bundles import MANIFEST_BYTES_MAX, Bundle, UnsafeBundle, read_bundle
from worker.clock import Clock
from worker.runners.base import Produced, RenderFailed, Reporter, Work
from worker.runners.maya import failures, output, start_script
from worker.runners.maya.command import Places, Run, command_line, is_plain, node_name, plain_path, runs_of
from worker.runners.maya.discovery import Maya
from worker.runners.maya.engines import ENGINES
from worker.runners.maya.environment import scripts_folder
from worker.runners.maya.layers import layer_node
from worker.runners.maya.process import Deadline, Listener, run_process
from worker.runners.maya.progress import Progress
from worker.runners.maya.spellings import spellings_in
from worker.runners.process_tree import ProcessTree


class Host(Protocol):
    """What a task needs of its runner: the time, Maya's environment, and that its processes are known."""

    @property
    def clock(self) -> Clock:
        """What time-outs are measured by."""
        ...

    def environment(self, home: Path, maya: Maya) -> dict[str, str]:
        """What a Maya of this worker sees."""
        ...

    def started(self, process: ProcessTree) -> None:
        """A process runs; raises RenderCancelled when none may."""
        ...

    def ended(self, process: ProcessTree) -> None:
        """It does not run any more."""
        ...


class Task:
    """One task: its folders, its command lines, its frames."""

    def __init__(self, work: Work, reporter: Reporter, maya: Maya, host: Host) -> None:
        self._work, self._reporter, self._maya, self._host = work, reporter, maya, host
        lease = work.lease
        self._settings = dict(lease.settings)
        self._engine = ENGINES[str(lease.settings.get("engine", "file"))]
        self._home, self._images = work.scratch / "home", work.scratch / "images"
        self._deadline = Deadline(reporter, host.clock, lease.timeout_s)
        self._progress = Progress(self._engine, len(lease.frames), host.clock.monotonic())
        self._listener = Listener(reporter, self._progress.line)
        self._doing = "starting"
        self._taken = 0

    def render(self) -> list[Produced]:
        """Every run of frames, one process after the other."""
        lease = self._work.lease
        self._images.mkdir()
        environment = self._host.environment(self._home, self._maya)
        places = self._prepare()
        runs = runs_of(lease.frames)
        lines = [
            command_line(
                str(self._maya.render), self._engine, run, places, lease.format, self._settings, self._work.threads
            )
            for run in runs
        ]
        return [each for run, argv in zip(runs, lines, strict=True) for each in self._run(run, argv, environment)]

    def _run(self, run: Run, argv: list[str], environment: Mapping[str, str]) -> list[Produced]:
        rendered = f"frame {run.first}" if run.first == run.last else f"frames {run.first} to {run.last}"
        self._doing = f"rendering {rendered}"
        running: list[ProcessTree] = []

        def started(process: ProcessTree) -> None:
            running.append(process)
            self._host.started(process)

        try:
            code = run_process(
                argv,
                environment,
                self._home,
                self._deadline,
                listener=self._listener,
                look=self._look,
                started=started,
            )
        finally:
            for process in running:
                self._host.ended(process)
        self._look(self._host.clock.monotonic(), being_written=0)
        return self._take(run, code)

    def _take(self, run: Run, exit_code: int) -> list[Produced]:
        """The frames of a run, when all of them are there and whole."""
        wanted, lines = self._work.lease.format, self._listener.telling
        found = output.pictures_in(self._images)
        chosen = {frame: output.choose(found, frame, wanted, self._images) for frame in run.frames}
        missing = [frame for frame, picture in chosen.items() if picture is None]
        if missing:
            raise failures.failed(lines, exit_code, missing, self._doing)
        spoiled = failures.spoiled(lines, exit_code)
        if spoiled is not None:
            raise spoiled
        if exit_code:
            self._reporter.log(f"Maya ended with exit code {exit_code}; all of its frames are there and are checked.")
        produced = []
        for frame, picture in chosen.items():
            assert picture is not None, "missing ones were told above"
            path = output.checked(picture, wanted, self._size())
            others = sum(each.frame == frame for each in found) - 1
            if others:
                self._reporter.log(f"Frame {frame}: {path.relative_to(self._images)} is kept, {others} more are not.")
            place = self._work.scratch / f"{'-' if frame < 0 else ''}{abs(frame):04d}.{wanted}"
            produced.append(Produced(path.rename(place), "frame", frame))
        self._taken += len(produced)
        return produced

    def _look(self, now: float, being_written: int = 1) -> None:
        """Progress by the files that are there, the last of which an engine may have begun only."""
        there = {each.frame for each in output.pictures_in(self._images)} & set(self._work.lease.frames)
        self._progress.seen(self._taken + len(there) - being_written)
        self._reporter.progress(self._progress.fraction(now), self._progress.note)

    def _size(self) -> tuple[int, int] | None:
        width, height = self._settings.get("width"), self._settings.get("height")
        return (int(width), int(height)) if width and height else None

    def _prepare(self) -> Places:
        """The start script, and paths that Maya's command line can take."""
        scene = self._work.scene_path
        assert scene is not None, "the runner has looked"
        project = str(self._settings.get("project") or "")
        mappings: start_script.Mappings = []
        if self._work.manifest is not None:
            bundle = _bundle(self._work.manifest)
            tree = self._work.manifest.parent / "tree"
            scenes = [tree / place for place in bundle.files if place.lower().endswith((".ma", ".mb"))]
            spellings = spellings_in(scenes, bundle.origins)
            mappings = start_script.mappings_of(bundle.origins, tree.as_posix(), spellings)
            place = start_script.place_of(bundle.origins, project) if project else None
            project = str(tree / place) if place is not None else ""
        if self._settings.get("layer"):
            self._settings["layer"] = layer_node(scene, node_name(str(self._settings["layer"]), "layer"))
        for origin in start_script.unspeakable(mappings):
            self._reporter.log(f"Maya cannot be told where the files of {origin!r} are here; rename that folder.")
        script = scripts_folder(self._home) / start_script.NAME
        script.write_text(start_script.start_script(mappings), encoding="utf-8")
        if project and not Path(project).is_dir():
            self._reporter.log(f"The project's folder {project} is not on this worker; Maya renders without it.")
            project = ""
        if not is_plain(self._images.as_posix()):
            raise RenderFailed(f"Maya cannot work in {self._images}: move the worker's data folder (--data).", "infra")
        return Places(
            scene=f"{self._plain(scene.parent, 'scene')}/{scene.name}",
            images=self._images.as_posix(),
            project=self._plain(Path(project), "project") if project else "",
        )

    def _plain(self, folder: Path, name: str) -> str:
        """A path to the folder that Maya's command line can take: its own, or that of a link to it."""
        if is_plain(folder.as_posix()):
            return folder.as_posix()
        link = self._home / "links" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        try:
            link.symlink_to(folder, target_is_directory=True)
        except OSError:  # Windows without the right to make links
            return plain_path(folder.as_posix())
        return plain_path(link.as_posix())


def _bundle(manifest: Path) -> Bundle:
    try:
        with manifest.open("rb") as file:
            return read_bundle(file.read(MANIFEST_BYTES_MAX + 1))
    except (OSError, UnsafeBundle) as error:
        raise RenderFailed(f"The scene's bundle cannot be read: {error}. It is fetched again.", "infra") from error
