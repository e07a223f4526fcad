"""Another farm in memory, behind the ports that liaison and porter use, with a line that tests cut.

It answers a repeated submission as a farm does (same key, same job), and renders when it is told to. `line` says what
becomes of the next calls: "up"; "down": nothing arrives; "deaf": it arrives, and the answer is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from scheduler.backends.site.troubles import SiteFault, SiteRefused, SiteSilent
from scheduler.domain.frames import parse_frames
from scheduler.domain.handover import FarFrame, FarJob
from scheduler.domain.states import TERMINAL_JOBS, JobStatus

Result = TypeVar("Result")


@dataclass
class FarState:
    """A job as the other farm has it."""

    number: str
    key: str
    payload: dict[str, Any]
    status: JobStatus
    priority: int
    frames: tuple[int, ...]
    made: dict[int, bytes] = field(default_factory=dict)
    reason: str = "submitted"
    worked_s: float = 0.0
    runs: list[int] = field(default_factory=list)
    """Frames in the order in which they were rendered."""


class FakeFar:
    """See the module's docstring. `refuses`: its words for submissions that it does not take."""

    def __init__(self, name: str = "far") -> None:
        self.name, self.line, self.refuses = name, "up", ""
        self.jobs: dict[str, FarState] = {}
        self.blobs: dict[str, bytes] = {}
        self.submissions = self.shipments = self.fetches = 0
        self.told: list[tuple[str, str, dict[str, Any] | None]] = []
        self.foretells = ""
        self.broken: set[str] = set()
        """Jobs that it fails to tell of."""
        self.breaks_after: int | None = None
        """Bytes of a frame's file after which the line breaks."""
        self._number = 0

    # ---- The ports -------------------------------------------------------------------------------------------------

    def farm_id(self) -> str:
        """Which farm it is."""
        return self._call(lambda: self.name)

    def submit(self, key: str, payload: Mapping[str, Any]) -> FarJob:
        """The same key gives the same job."""
        return self._call(lambda: self._submit(key, dict(payload)))

    def look(self, job: str, *, closely: bool) -> FarJob | None:
        """How a job stands."""
        return self._call(lambda: self._seen(self.jobs[job]) if job in self.jobs else None, job)

    def tell(self, job: str, order: str, body: Mapping[str, Any] | None = None) -> None:
        """What the job's state makes pointless is passed over."""
        self._call(lambda: self._tell(job, order, dict(body or {})))

    def ship(self, digest: str, path: Path) -> None:
        """Keep a file."""
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest

        def keep() -> None:
            self.shipments += digest not in self.blobs
            self.blobs[digest] = data

        self._call(keep)

    def frames(self, job: str) -> list[FarFrame]:
        """What was made."""
        made = self.jobs[job].made if job in self.jobs else {}
        return self._call(
            lambda: [FarFrame(f, hashlib.sha256(data).hexdigest(), len(data)) for f, data in sorted(made.items())]
        )

    def fetch(self, job: str, frame: FarFrame, part: Path) -> None:
        """Go on from what is there; the line may break in the middle."""
        data = self._call(lambda: self.jobs[job].made[frame.frame])
        self.fetches += 1
        part.parent.mkdir(parents=True, exist_ok=True)
        there = part.stat().st_size if part.exists() else 0
        assert part.read_bytes() == data[:there] if there else True
        end = len(data) if self.breaks_after is None else min(len(data), there + self.breaks_after)
        with part.open("ab") as file:
            file.write(data[there:end])
        if end < len(data):
            raise SiteSilent("it cannot be reached: the line broke")

    def close(self) -> None:
        """Nothing is open."""

    # ---- What happens there ----------------------------------------------------------------------------------------

    def render(self, job: str, *, frames: int = 1_000_000, pixels: bytes = b"pixels") -> None:
        """Make the next frames of a job that runs."""
        found = self.jobs[job]
        if found.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            return
        found.status = JobStatus.RUNNING
        for frame in [frame for frame in found.frames if frame not in found.made][:frames]:
            found.made[frame] = pixels + b" %d" % frame
            found.runs.append(frame)
        if len(found.made) == len(found.frames):
            found.status, found.reason = JobStatus.SUCCEEDED, "all tasks succeeded"

    def end(self, job: str, status: JobStatus, reason: str) -> None:
        """Somebody or something there ends the job."""
        if self.jobs[job].status not in TERMINAL_JOBS:
            self.jobs[job].status, self.jobs[job].reason = status, reason

    @property
    def only(self) -> FarState:
        """Its one job."""
        (found,) = self.jobs.values()
        return found

    def _call(self, answer: Callable[[], Result], job: str = "") -> Result:
        if job and job in self.broken:
            raise SiteFault("it failed: unexpected")
        if self.line == "down":
            raise SiteSilent("it cannot be reached: no route")
        found = answer()
        if self.line == "deaf":
            raise SiteSilent("it cannot be reached: no answer")
        return found

    def _submit(self, key: str, payload: dict[str, Any]) -> FarJob:
        self.submissions += 1
        known = next((job for job in self.jobs.values() if job.key == key), None)
        if known is not None:
            assert known.payload == payload, "the same key with another payload"
            return self._seen(known)
        if self.refuses:
            raise SiteRefused(self.refuses)
        self._number += 1
        number = f"{self._number:05d}"
        status = JobStatus.PAUSED if payload.get("paused") else JobStatus.QUEUED
        frames = parse_frames(payload["frames"], frames_max=1000)
        self.jobs[number] = FarState(number, key, payload, status, payload["priority"], tuple(sorted(frames)))
        return self._seen(self.jobs[number])

    def _tell(self, job: str, order: str, body: dict[str, Any]) -> None:
        self.told.append((job, order, body or None))
        found = self.jobs.get(job)
        if found is None:
            return
        if order == "priority":
            found.priority = body["priority"]
        elif order == "cancel" and found.status is not JobStatus.SUCCEEDED:
            found.status, found.reason = JobStatus.CANCELED, "canceled by home"
        elif order == "pause" and found.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            found.status = JobStatus.PAUSED
        elif order == "resume" and found.status is JobStatus.PAUSED:
            found.status = JobStatus.QUEUED

    def _seen(self, job: FarState) -> FarJob:
        return FarJob(job.number, job.status, len(job.made), len(job.frames), job.reason, self.foretells, job.worked_s)
