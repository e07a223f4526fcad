# SPDX-License-Identifier: Apache-2.0
"""From the open scene to submissions in the spool: the same steps in every program.

`Flow` spreads them over turns and a thread, `delivery.submit` takes them at once: `gather` (main thread, in small
steps), `inspect` (any thread), `save_copy` (main thread), `commit` (any thread). The first four methods are a
program's own. The artist's file is never written: the program saves a copy into the spool, or the file's bytes are
copied when nothing has changed since.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

from .client import normal_server
from .copies import copy, copy_unchanged, save_trouble
from .errors import FarmError
from .facts import Facts, Finding, worst_first
from .files import Need, find_files
from .flow import Budget
from .following import FarmView
from .frames import format_frames, missing_frames, parse_frames
from .layout import safe_name
from .outputs import present_frames
from .payload import Wish, body_of
from .preflight import findings
from .renderers import cannot_split, ways_to_split
from .spool import Draft, Kept

if TYPE_CHECKING:
    from .session import Session


class Target:
    """One job in the making, and where its frames go ("": the farm keeps them)."""

    def __init__(self) -> None:
        self.output, self.format, self.is_movie = "", "png", False
        self.existing = 0
        self.wish = Wish("untitled")
        self.draft: Optional[Draft] = None


class Assembly:
    """Submissions of one scene in the making. `farm`: what is known of it; None or not live: nothing."""

    def __init__(self, here: "Session", wishes: Dict[str, Any], farm: Optional[FarmView]) -> None:
        """Take the wishes; on the main thread.

        Raises:
            Refused: the farm's address is none.
        """
        self.here, self.wishes = here, wishes
        self.farm = farm if farm is not None and farm.is_live else None
        self.budget, self.facts, self.found = Budget(), Facts(), []  # type: Budget, Facts, List[Finding]
        self.targets: List[Target] = []
        self.origin = ""
        self.extras: List[str] = []
        self.renderer: Optional[str] = None
        self._server = normal_server(here.connection.server)
        self._bytes_only = False

    # ---- A program's own ---------------------------------------------------------------------------------------------

    def gather(self) -> Iterator[None]:
        """Read the scene, a little with each step: `facts`, `targets` with their wishes, `renderer` (the farm's; None:
        it has none), `origin` (the file's path, or the one that it would have), `extras` (files that travel along where
        they exist).

        Raises:
            FarmError, one of the host's troubles.
        """
        raise NotImplementedError

    def needs(self) -> List[Need]:
        """The files that the scene names, as they were gathered."""
        raise NotImplementedError

    def still_true(self) -> bool:
        """Is it the same scene as when it was read? On the main thread, right before it is saved."""
        raise NotImplementedError

    def is_as_saved(self) -> bool:
        """Is what is open what is on the disk? On the main thread."""
        raise NotImplementedError

    def write_copy(self, path: str) -> Optional[bool]:
        """Write what is open there, without a trace in the session. On the main thread. True: call again, it goes on.

        Raises:
            OSError, one of the host's troubles.
        """
        raise NotImplementedError

    def stop_copy(self) -> None:
        """Write no further, if something is being written."""

    def own_findings(self) -> List[Finding]:
        """What is to be said besides what is said of every scene. In any thread."""
        return []

    def scene_name(self) -> str:
        """The copy's name."""
        return safe_name(os.path.basename(self.origin))

    # ---- What is known of the farm, and what was found ---------------------------------------------------------------

    @property
    def info(self) -> Optional[Dict[str, Any]]:
        """What the farm says of itself."""
        return self.farm.info if self.farm is not None else None

    @property
    def missing(self) -> List[Need]:
        """Needs that the disk does not have."""
        return self.facts.files.missing if self.facts.files is not None else []

    @property
    def trial(self) -> Optional[Dict[str, Any]]:
        """The body of the job to ask the farm about: where it would run, and until when."""
        if not self.targets or self.renderer is None:
            return None
        try:
            body = body_of(self.targets[0].wish)
        except FarmError:
            return None
        body.pop("metadata", None)
        return body

    # ---- Judge -------------------------------------------------------------------------------------------------------

    def inspect(self) -> List[Finding]:
        """Look at the disk and judge."""
        facts = self.facts
        facts.files = find_files(self.needs())
        for path in self.extras:
            if os.path.isfile(path):
                facts.files.files[path] = os.stat(path).st_size
        self._take_farm()
        for target in self.targets:
            self._look_at_output(target)
        self._drop_finished()
        told: Dict[Any, Finding] = {}
        for target in self.targets or [None]:
            if target is not None:
                facts.output, facts.existing_frames, facts.frames = target.output, target.existing, target.wish.frames
                facts.output_is_movie, facts.format = target.is_movie, target.format
            for each in findings(facts):
                told.setdefault((each.code, each.sentence), each)
        if self.renderer and self.wishes["split_mode"] not in ways_to_split(self.info, self.renderer):
            told["no_split"] = cannot_split(self.renderer)
        self.found = worst_first([*told.values(), *self.own_findings()])
        return self.found

    def _take_farm(self) -> None:
        """Its output folders, its limits, its workers."""
        if self.farm is None or self.info is None:
            return
        if "output_roots" in self.info:
            self.facts.output_roots = [str(root) for root in self.info["output_roots"]]
        limits = self.info.get("limits") or {}
        self.facts.frames_max = int(limits.get("frames_per_job_max", self.facts.frames_max))
        self.facts.upload_bytes_max = int(limits.get("blob_max_bytes", 0))
        self.facts.workers = self.farm.workers

    def _look_at_output(self, target: Target) -> None:
        """Frames that are there already: to be left out, or to be warned of."""
        if not target.output or not target.wish.frames:
            return
        try:
            frames = parse_frames(target.wish.frames)
        except FarmError:
            return
        present = present_frames(target.output, frames)
        if self.wishes["frames_mode"] == "MISSING":
            target.wish.frames = format_frames(missing_frames(frames, present))
        else:
            target.existing = len(present)

    def _drop_finished(self) -> None:
        """Of the missing frames only: jobs that have none. All of them have none: the first one says so."""
        if self.wishes["frames_mode"] == "MISSING":
            self.targets = [target for target in self.targets if target.wish.frames] or self.targets

    # ---- Keep --------------------------------------------------------------------------------------------------------

    def save_copy(self) -> bool:
        """Save a copy of what is open into the spool; on the main thread. False: call again, it is being written.

        Raises:
            LocalTrouble: it cannot be written; nothing is left.
        """
        first, host = self.targets[0], self.here.host
        if first.draft is None:
            first.draft = self.here.spool.begin()
            self._bytes_only = self.is_as_saved()
        if self._bytes_only:
            return True  # `commit` copies the bytes, off the main thread
        folder = first.draft.folder
        path = os.path.join(folder, self.scene_name())
        try:
            if self.write_copy(path):
                return False
        except (OSError, *host.troubles) as error:
            self.abandon()
            raise save_trouble(host.program, folder, str(error)) from error
        if not os.path.exists(path):
            self.abandon()
            raise save_trouble(host.program, folder, "nothing was written")
        return True

    def commit(self) -> List[Kept]:
        """Make the submissions real: from here on they are sent, whatever dies. Every copy is made before the first.

        Raises:
            LocalTrouble: the disk is full or cannot be written; nothing is left.
        """
        first, name, made = self.targets[0].draft, self.scene_name(), []
        assert first is not None, "the copy is saved first"
        try:
            if self._bytes_only:
                copy_unchanged(self.origin, first.folder, name)
            for target in self.targets[1:]:
                target.draft = self.here.spool.begin()
                copy(os.path.join(first.folder, name), target.draft.folder, name)
            for number, target in enumerate(self.targets):
                assert target.draft is not None
                order = "{}-{:04d}".format(datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f"), number)
                made.append(target.draft.commit(self._content(target), order))
                target.draft = None
        except FarmError:
            self.abandon()
            raise
        return made

    def abandon(self) -> None:
        """Leave nothing behind."""
        self.stop_copy()
        for target in self.targets:
            if target.draft is not None:
                target.draft.abandon()
                target.draft = None

    def _content(self, target: Target) -> Dict[str, Any]:
        files = sorted(self.facts.files.files) if self.facts.files is not None else []
        return {
            "server": self._server,
            "body": body_of(target.wish),
            "scene": self.scene_name(),
            "origin": os.path.join(os.path.dirname(self.origin), self.scene_name()),
            "files": [path for path in files if path != self.origin],
        }
