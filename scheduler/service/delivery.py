"""A delivery: what an attempt has handed over, and all that publishing needs to know to verify and place it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy.orm import aliased
from sqlmodel import col

from scheduler.domain.estimating import work_kind
from scheduler.domain.handover import SITE_WORKER
from scheduler.domain.states import AttemptStatus, TaskStatus
from scheduler.protocol.work import OutputFile
from scheduler.service.exchange import FILELESS_RENDERER
from scheduler.service.farm import Farm
from scheduler.service.learning import JobFacts, frames_of, job_facts
from scheduler.service.preparing import output_roots
from scheduler.store.tables import Attempt, Job, Step, Task


@dataclass(frozen=True)
class Delivery:
    """An attempt whose files are staged."""

    task: int
    attempt: int
    secret: str
    worker: str | None
    job: int
    final: bool
    fileless: bool
    format: str
    width: int | None
    height: int | None
    output: str
    stored: bool
    """Do its frames become objects of a store, not files at a path?"""
    roots: tuple[Path, ...]
    seconds: float
    frames: frozenset[int]
    files: tuple[OutputFile, ...]
    facts: JobFacts
    kind: str
    worth: float
    """Frames that the task is worth: 10 for a chunk of ten, 1/16 for one of sixteen tiles."""
    resumed: bool = False
    """The attempt went on from what an earlier one had saved."""

    @property
    def from_site(self) -> bool:
        """Whether another farm made it."""
        return (self.worker or "").startswith(SITE_WORKER)

    @property
    def mark(self) -> str:
        """What makes the names of the attempt's hidden files its own."""
        return f"{self.task}.{self.attempt}"


_EARLIER = aliased(Attempt)
_SAVED = (
    sqlalchemy.exists()
    .where(col(_EARLIER.task_id) == Task.id, col(_EARLIER.attempt) < Task.attempt)
    .where(col(_EARLIER.status) == AttemptStatus.RETURNED, col(_EARLIER.manifest).is_not(None))
)

_DELIVERED = (
    sqlalchemy.select(
        *(col(Task.secret), col(Task.worker), col(Task.job_id), col(Task.feeds), col(Task.frames)),
        *(col(Task.tile), col(Task.slice), col(Step.kind), col(Step.final), col(Job.project), col(Job.shot)),
        *(col(Attempt.seconds), col(Attempt.manifest), _SAVED.label("resumed")),
        *(col(Job.renderer), col(Job.format), col(Job.settings), col(Job.output), col(Job.scene)),
    )
    .join(Attempt, sqlalchemy.and_(col(Attempt.task_id) == Task.id, col(Attempt.attempt) == Task.attempt))
    .join(Job, col(Job.id) == Task.job_id)
    .join(Step, col(Step.id) == Task.step_id)
    .where(col(Task.id) == sqlalchemy.bindparam("task"), col(Task.attempt) == sqlalchemy.bindparam("attempt"))
    .where(col(Task.status) == TaskStatus.LEASED, col(Attempt.status) == AttemptStatus.PUBLISHING)
)
"""One query for everything: it is asked for every frame."""


def load_delivery(farm: Farm, task: int, attempt: int) -> Delivery | None:
    """The delivery as it stands in the store; None if the attempt does not hold its task any more."""
    with farm.store.read() as session:
        found = session.execute(_DELIVERED, {"task": task, "attempt": attempt}).first()
    if found is None or found.secret is None:
        return None
    width, height = _asked_size(found.settings)
    kind = work_kind(found.kind, final=bool(found.final))
    return Delivery(
        task=task,
        attempt=attempt,
        secret=found.secret,
        worker=found.worker,
        job=found.job_id,
        final=found.feeds is None,
        fileless=found.renderer == FILELESS_RENDERER,
        format=found.format,
        width=width,
        height=height,
        output=found.output or "",
        stored=farm.store.frames.remote and _is_own(farm, Path(found.output or "")),
        roots=_roots(farm, Path(found.output or ""), found.scene.get("path")),
        seconds=found.seconds or 0.0,
        frames=frozenset(int(frame) for frame in found.frames.split(",")),
        facts=job_facts(found.job_id, found.project, found.renderer, found.scene, found.shot),
        kind=kind,
        worth=frames_of(kind, found.frames, found.tile, found.slice),
        resumed=bool(found.resumed),
        files=tuple(msgspec.json.decode(found.manifest or "[]", type=list[OutputFile])),
    )


def _roots(farm: Farm, output: Path, scene: str | None) -> tuple[Path, ...]:
    """Where the job's frames may go; nothing to check for frames in the farm's own storage."""
    return () if _is_own(farm, output) else output_roots(farm.settings, Path(scene).parent if scene else None)


def _is_own(farm: Farm, output: Path) -> bool:
    """Whether the job named no output, so that its frames stay in the farm's own storage."""
    return output.is_relative_to(farm.store.folders.frames)


def _asked_size(settings: dict[str, Any]) -> tuple[int | None, int | None]:
    """The size that the job asked for, as far as it did. A percentage scales what the scene says."""
    width, height, percentage = settings.get("width"), settings.get("height"), settings.get("percentage")
    if percentage is None:
        return width, height
    return (
        width * percentage // 100 if width else None,
        height * percentage // 100 if height else None,
    )
