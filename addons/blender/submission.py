# SPDX-License-Identifier: GPL-3.0-or-later
"""From the open scene to a submission in the spool, and in a pipeline on to the farm.

`Assembly` has four steps, which the panel spreads over ticks and a thread and `submit` takes at once: `gather` (main
thread, in small steps), `inspect` (any thread), `save_copy` (main thread), `commit` (any thread). The artist's file is
never written: Blender saves a copy into the spool, or the file's bytes are copied when nothing has changed since.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import bpy

from . import gathering, preferences, session
from .dependencies import Needs, needs_of
from .outfield_core.client import normal_server
from .outfield_core.errors import FarmError, LocalTrouble, Refused
from .outfield_core.files import find_files
from .outfield_core.frames import format_frames, missing_frames, parse_frames
from .outfield_core.layout import safe_name
from .outfield_core.payload import Wish, body_of
from .outfield_core.preflight import Facts, Finding, errors, findings
from .outfield_core.sending import Watch, flush
from .outfield_core.spool import Draft, Kept, disk_trouble
from .properties import overridden
from .steps import Budget
from .writing import PAUSE_S, Writing, in_window

UNSAVED = "untitled.blend"


class Submitted:
    """What became of a submission: a job on the farm (`job_id`), or kept on this machine (`spooled`)."""

    def __init__(self, key: str, name: str, job: dict[str, Any] | None, error: FarmError | None) -> None:
        self.key, self.name, self.job, self.error = key, name, job, error

    @property
    def job_id(self) -> str | None:
        """The farm's number of the job, None while it is kept here."""
        return str(self.job["jobID"]) if self.job is not None else None

    @property
    def spooled(self) -> bool:
        """Is it still on this machine?"""
        return self.job is None

    def __repr__(self) -> str:
        return f"outfield jobID {self.job_id}" if self.job is not None else f"outfield spooled {self.key}"


class Assembly:
    """A submission in the making."""

    def __init__(self, scene: Any, settings: dict[str, Any]) -> None:
        """Take the wishes; on the main thread.

        Raises:
            Refused: a setting that there is not, or an address that is none.
        """
        self._scene = scene.name
        self._wishes = overridden(scene, settings)
        self._server = normal_server(preferences.server())
        self._needs = Needs()
        self.budget = Budget()
        self.facts = Facts()
        self.wish = Wish("untitled")
        self.found: list[Finding] = []
        self._origin = ""
        self._paths: list[str] = []
        self._draft: Draft | None = None
        self._writing: Writing | None = None
        self._clean_copy = False

    def gather(self) -> Iterator[None]:
        """Read the scene, a little with each step."""
        self._origin = bpy.data.filepath or os.path.join(bpy.app.tempdir or "/tmp", UNSAVED)
        self._needs, self.facts = Needs(), Facts()
        yield from gathering.read_scene(self._open_scene(), self.facts, self.budget)
        yield from needs_of(
            self._scene, self._needs, self.budget, also=lambda thing: gathering.look_at(thing, self.facts)
        )
        self.wish = gathering.wish_of(self._open_scene(), self._wishes, self.facts)
        self.budget.rest()
        yield
        self._paths = _paths_now()
        yield

    def still_true(self) -> bool:
        """Does the scene name the same files as when it was read? On the main thread, right before it is saved."""
        return bpy.data.scenes.get(self._scene) is not None and _paths_now() == self._paths

    def _open_scene(self) -> Any:
        scene = bpy.data.scenes.get(self._scene)
        if scene is None:
            raise Refused(f"The scene {self._scene!r} is not there any more.", code="scene_gone")
        return scene

    def inspect(self, farm: Any = None) -> list[Finding]:
        """Look at the disk and judge. `farm`: what the follower knows, None: nothing."""
        self.facts.files = find_files(self._needs.found)
        self._look_at_output()
        if farm is not None:
            gathering.take_farm(self.facts, farm)
        self.found = findings(self.facts)
        return self.found

    def save_copy(self) -> bool:
        """Save a copy of what is open into the spool; on the main thread. False: call again, it is being written.

        Raises:
            LocalTrouble: it cannot be written.
        """
        if self._draft is None:
            self._draft = session.current().spool.begin()
            self._clean_copy = _is_as_saved()
        if self._clean_copy:
            return True  # `commit` copies the bytes, off the main thread
        target = os.path.join(self._draft.folder, self._scene_name())
        try:
            self._writing = self._writing or Writing(target)
            if not self._writing.done:
                return False
        except (RuntimeError, OSError) as error:
            self._draft.abandon()
            raise _save_trouble(self._draft.folder, str(error)) from error
        if not os.path.exists(target):
            self._draft.abandon()
            raise _save_trouble(self._draft.folder, "nothing was written")
        return True

    def commit(self) -> Kept:
        """Make the submission real: from here on it is sent, whatever dies.

        Raises:
            LocalTrouble: the disk is full or cannot be written; nothing is left.
        """
        draft = self._draft
        assert draft is not None, "the copy is saved first"
        if self._clean_copy:
            _copy_bytes(bpy_path=self._origin, draft=draft, name=self._scene_name())
        files = sorted(self.facts.files.files) if self.facts.files is not None else []
        content = {
            "server": self._server,
            "body": body_of(self.wish),
            "scene": self._scene_name(),
            "origin": os.path.join(os.path.dirname(self._origin), self._scene_name()),
            "files": [path for path in files if path != self._origin],
        }
        return draft.commit(content, datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f"))

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._writing is not None:
            self._writing.cancel()
        if self._draft is not None:
            self._draft.abandon()

    def _scene_name(self) -> str:
        return safe_name(os.path.basename(self._origin))

    def _look_at_output(self) -> None:
        """Frames that are there already: to be left out, or to be warned of."""
        if not self.facts.output or not self.wish.frames:
            return
        try:
            frames = parse_frames(self.wish.frames)
        except FarmError:
            return
        present = [frame for frame in frames if os.path.exists(gathering.frame_path(self.facts.output, frame))]
        if self._wishes["frames_mode"] == "MISSING":
            self.wish.frames = self.facts.frames = format_frames(missing_frames(frames, present))
        else:
            self.facts.existing_frames = len(present)


def submit(scene: Any = None, **settings: Any) -> Submitted:
    """Submit a scene and wait until the farm has it, or until it is kept because the farm is away.

    `settings`: those of `scene.outfield`, e.g. `frames="1-10"`, `priority=70`, and `overrides={"samples": 64}` for the
    renderer. Nothing of the scene, the file or the undo history is changed.

    Raises:
        FarmError: something stands in the way; nothing was submitted. TypeError: a setting that there is not.
    """
    here = session.current()
    here.look()
    assembly = Assembly(scene or bpy.context.scene, settings)
    for _ in assembly.gather():
        pass
    stopping = errors(assembly.inspect())
    if stopping:
        raise Refused(" ".join(finding.sentence for finding in stopping), code=stopping[0].code)
    while not assembly.save_copy():
        time.sleep(PAUSE_S)
    kept = assembly.commit()
    return _deliver(here, kept)


def _deliver(here: session.Session, kept: Kept) -> Submitted:
    """Send what is kept, this one last."""
    client = here.client()
    if client is None or client.server != kept.server:
        return Submitted(kept.key, kept.name, None, None)
    for outcome in flush(here.spool, client, here.cache, lambda _: Watch()):
        if outcome.kept.key == kept.key:
            if outcome.error is not None and not os.path.isdir(kept.folder):
                raise outcome.error
            return Submitted(kept.key, kept.name, outcome.job, outcome.error)
        if outcome.job is not None:
            print(
                "outfield jobID {} ({}), kept since the farm was away".format(outcome.job["jobID"], outcome.kept.name)
            )
    return _elsewhere(here, kept)


def _elsewhere(here: session.Session, kept: Kept) -> Submitted:
    """Nothing was sent: the farm is away, or the session's own thread is sending this very one."""
    waited = 0.0
    while waited < session.FINISH_S and here.sender.busy:
        for outcome in list(here.sender.outcomes):
            if outcome.kept.key == kept.key and outcome.job is not None:
                return Submitted(kept.key, kept.name, outcome.job, None)
        time.sleep(0.05)
        waited += 0.05
    return Submitted(kept.key, kept.name, None, None)


def _paths_now() -> list[str]:
    return sorted(bpy.utils.blend_paths(absolute=False, packed=False))


def _is_as_saved() -> bool:
    """Is what is open what is on the disk? Only Blender's window keeps account of that; scripts change unseen."""
    return in_window() and not bpy.data.is_dirty and os.path.isfile(bpy.data.filepath)


def _copy_bytes(*, bpy_path: str, draft: Draft, name: str) -> None:
    try:
        before = os.stat(bpy_path)
        shutil.copyfile(bpy_path, os.path.join(draft.folder, name))
        after = os.stat(bpy_path)
    except OSError as error:
        draft.abandon()
        raise disk_trouble(draft.folder, error) from error
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        draft.abandon()
        raise LocalTrouble("The file was saved while it was copied.", code="file_changed", hint="Submit once more.")


def _save_trouble(folder: str, text: str) -> LocalTrouble:
    return LocalTrouble(
        "Blender cannot save a copy into {}: {}.".format(folder, " ".join(text.split())),
        code="copy_failed",
        hint="Free some space there, or set OUTFIELD_SPOOL to a folder that you may write.",
    )
