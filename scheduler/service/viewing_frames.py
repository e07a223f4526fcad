"""Frames as they are shown: which of a job's frames are there, which are not, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from scheduler.domain.frames import parse_frames
from scheduler.domain.states import JobStatus, TaskStatus
from scheduler.errors import NotFound, Refused
from scheduler.service.farm import iso
from scheduler.service.viewing import find_job
from scheduler.store.frames import is_object, name_of
from scheduler.store.tables import Frame, Job, Step, Task

PUBLISHED = "published"
RENDERING = "rendering"
WAITING = "waiting"
FAILED = "failed"
CANCELED = "canceled"

_WORD = {
    TaskStatus.BLOCKED: WAITING,
    TaskStatus.READY: WAITING,
    TaskStatus.LEASED: RENDERING,
    TaskStatus.FAILED: FAILED,
    TaskStatus.CANCELED: CANCELED,
}

_HINT = {
    RENDERING: "It is being rendered; ask again in a while, or listen to GET /events.",
    WAITING: "It has not been rendered yet; GET /jobs/{job}/why says what it waits for.",
    FAILED: "Its rendering failed; GET /jobs/{job}/tasks?status=FAILED says why, POST /jobs/{job}/retry tries again.",
    CANCELED: "Its job was canceled; POST /jobs/{job}/retry renders it.",
    "unknown": "GET /jobs/{job}/frames lists the frames of this job.",
    PUBLISHED: "Its file was moved, removed or changed since; what it was is not kept anywhere else.",
}

FRAME_DIGITS_MAX = 8


@dataclass(frozen=True)
class FrameFile:
    """A published frame: where it lies (`store.frames` reads it), its SHA-256, its bytes and when it was published."""

    job: int
    frame: int
    where: str
    hash: str
    size: int
    published_at: float

    @property
    def name(self) -> str:
        """Its file name."""
        return name_of(self.where)

    @property
    def path(self) -> Path | None:
        """Its path, unless it is an object of a store."""
        return None if is_object(self.where) else Path(self.where)


def number_of_frame(text: str) -> int:
    """A frame's number, which may be negative.

    Raises:
        NotFound: it is none.
    """
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= FRAME_DIGITS_MAX):
        raise NotFound(f"{text[:40]!r} is no frame.", code="frame_missing", details={"state": "unknown"})
    return int(text)


def list_frames(
    session: Session, job: int, *, after: int | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A job's frames in ascending order, published or not, and the cursor of the next page (None: the last).

    Raises:
        NotFound: there is no such job in the queue.
    """
    row = find_job(session, job)
    numbers = [frame for frame in frames_of(row) if after is None or frame > after]
    page = numbers[:limit]
    there = {frame.frame: frame for frame in session.exec(_between(job, page)).all()}
    states = _states(session, job) if len(there) < len(page) else {}
    cursor = str(page[-1]) if len(numbers) > limit and page else None
    return [_frame_view(frame, there.get(frame), states.get(frame, WAITING)) for frame in page], cursor


def frame_cursor(text: str) -> int | None:
    """A cursor of `list_frames`; the empty text is the beginning.

    Raises:
        Refused: it is none.
    """
    try:
        return number_of_frame(text) if text else None
    except NotFound as error:
        raise Refused(
            "cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field"
        ) from error


def frames_of(row: Job) -> list[int]:
    """The job's frames in ascending order."""
    return sorted(parse_frames(row.frames, frames_max=max(row.frame_count, 1)))


def find_frame(session: Session, job: int, frame: int) -> FrameFile:
    """A published frame.

    Raises:
        NotFound: `job_unknown`, or `frame_missing` with the frame's state in the hint.
    """
    row = find_job(session, job)
    published = session.get(Frame, (job, frame))
    if published is not None:
        return _file(published)
    state = _states(session, job).get(frame, "unknown")
    if state == "unknown" and row.status == JobStatus.CANCELED:
        state = CANCELED
    raise frame_missing(job, frame, state)


def frame_missing(job: int, frame: int, state: str) -> NotFound:
    """The error for a frame that is not there, saying in which state it is."""
    return NotFound(
        f"Frame {frame} of job {job:05d} is not there: {state}.",
        code="frame_missing",
        details={"state": state},
        hint=_HINT[state].format(job=f"{job:05d}"),
    )


def published_frames(session: Session, job: int) -> list[FrameFile]:
    """Every published frame of a job, in ascending order.

    Raises:
        NotFound: there is no such job in the queue.
    """
    find_job(session, job)
    rows = session.exec(select(Frame).where(Frame.job_id == job).order_by(col(Frame.frame))).all()
    return [_file(row) for row in rows]


def _file(row: Frame) -> FrameFile:
    return FrameFile(row.job_id, row.frame, row.path, row.hash, row.size, row.published_at)


def _between(job: int, page: list[int]) -> Any:
    query = select(Frame).where(Frame.job_id == job)
    return query.where(col(Frame.frame) >= page[0], col(Frame.frame) <= page[-1]) if page else query.limit(0)


def _states(session: Session, job: int) -> dict[int, str]:
    """What each unpublished frame is doing: as the task that makes the whole frame stands, but rendering or failed as
    soon as one of its parts is."""
    final = (
        select(Task.frames, Task.status)
        .join(Step, col(Step.id) == Task.step_id)
        .where(Task.job_id == job, col(Step.final).is_(True))
    )
    parts = select(Task.frames, Task.status).where(
        Task.job_id == job, col(Task.status).in_((TaskStatus.LEASED, TaskStatus.FAILED))
    )
    states: dict[int, str] = {}
    _lay(states, session.exec(final).all())
    _lay(states, sorted(session.exec(parts).all(), key=lambda part: part[1] == TaskStatus.FAILED))
    return states


def _lay(states: dict[int, str], tasks: Iterable[tuple[str, str]]) -> None:
    for frames, status in tasks:
        word = _WORD.get(TaskStatus(status), PUBLISHED)
        for frame in frames.split(","):
            states[int(frame)] = word


def _frame_view(frame: int, row: Frame | None, state: str) -> dict[str, Any]:
    if row is None:
        return {"frame": frame, "status": state}
    return {
        "frame": frame,
        "status": PUBLISHED,
        "path": row.path,
        "size": row.size,
        "hash": row.hash,
        "width": row.width,
        "height": row.height,
        "channels": [name for name in row.channels.split(",") if name],
        "black": row.black,
        "task": row.task_id,
        "attempt": row.attempt,
        "published_at": iso(row.published_at),
    }
