"""Why tasks wait: a reason for every task that has not begun, with what it takes to change that. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.states import JobStatus
from scheduler.routing.route import Route

WAITS_FOR_PARTS = "waits for the parts that it merges"
WAITS_PAUSED = "the job is paused"
WAITS_HELD = "production holds it back: {reason}"
WAITS_JOBS = "waits for job {jobs} to succeed"
WAITS_DEAD = "waits for job {jobs}, which {status}: retry that job, or cancel this one"
WAITS_NOWHERE = "it may run nowhere: {detail}"
WAITS_NO_WORKER = "no worker is here that could take it: {detail}"
WAITS_CAP = "rule '{rule}' lets no more of such tasks run in {pool} at a time"
WAITS_MONEY = "the budget that pays for {pools} is spent; more money or its next period lets it go on"
WAITS_TURN = "waits for its turn: {ahead} jobs are ahead of it{next} and all fitting workers are busy"
WAITS_NEXT_OF = ", the next is {job} with a score of {score:g},"
WAITS_FREE = "a worker takes it next"
WAITS_BLOCKED = "no worker takes work at the moment: {worker} says: {reason}"
WAITS_DELAY = "failed before and is tried again at {when}"
WAITS_DISK = "is verified, but cannot be placed: {reason}"
WAITS_ENDED = "the job has ended ({status})"


@dataclass(frozen=True)
class Stage:
    """The farm around a waiting job, as far as its reasons go.

    `before` is the job right before it in the queue with its score; `capped` the rule and pool of a cap that is used
    up; `blocked` a worker that takes no work, with its reason, where all are so; `busy`: no fitting worker is free;
    `closed` the pools it may use, where a budget that is spent has closed all of them to it; `pledged` says what the
    job's cost cap waits for, where it lets nothing more start in any that has workers.
    """

    position: int | None = None
    before: tuple[int, float] | None = None
    capped: tuple[str, str] | None = None
    blocked: tuple[str, str] | None = None
    busy: bool = False
    closed: tuple[str, ...] | None = None
    pledged: str | None = None


@dataclass(frozen=True)
class Waiting:
    """How many tasks wait, and on what."""

    status: JobStatus
    reason: str = ""
    held_by: str = ""
    blocked: int = 0
    ready: int = 0
    delayed: int = 0
    again_at: str | None = None
    needs: Sequence[tuple[int, str]] = ()
    undeliverable: Mapping[int, str] = field(default_factory=dict[int, str])
    away: str | None = None
    """Where it is with another farm: how it stands there."""
    not_away: str | None = None
    """Where another farm would be the place for it: why it is not there (yet)."""


def reasons(waiting: Waiting, verdict: Route, stage: Stage) -> list[dict[str, Any]]:
    """A reason for every task that waits, with how many it holds for."""
    left = waiting.ready + waiting.blocked
    if waiting.status in (JobStatus.FAILED, JobStatus.CANCELED):
        return [{"reason": WAITS_ENDED.format(status=waiting.status.value), "tasks": left}] if left else []
    if waiting.away is not None:
        found = [{"reason": waiting.away, "tasks": left}] if left else []
    else:
        found = _reasons_here(waiting, verdict, stage)
    found += [
        {"reason": WAITS_DISK.format(reason=reason), "tasks": 1, "task": task}
        for task, reason in waiting.undeliverable.items()
    ]
    return found


def _reasons_here(waiting: Waiting, verdict: Route, stage: Stage) -> list[dict[str, Any]]:
    ready = waiting.ready - waiting.delayed
    found: list[dict[str, Any]] = []
    if waiting.blocked:
        found.append({"reason": WAITS_FOR_PARTS, "tasks": waiting.blocked})
    if waiting.delayed:
        found.append({"reason": WAITS_DELAY.format(when=waiting.again_at), "tasks": waiting.delayed})
    if ready > 0:
        found.append({"reason": ready_reason(waiting, verdict, stage), "tasks": ready})
    return found


def ready_reason(waiting: Waiting, verdict: Route, stage: Stage) -> str:
    """Why a task that could be leased has not been."""
    if waiting.status is JobStatus.PAUSED:
        return WAITS_HELD.format(reason=waiting.reason) if waiting.held_by == "tracking" else WAITS_PAUSED
    if waiting.needs:
        return _dependency_reason(waiting.needs)
    if not verdict.chosen:
        return WAITS_NOWHERE.format(detail="; ".join(verdict.reasons))
    if not verdict.placeable:
        return WAITS_NO_WORKER.format(detail=_pools_in_words(verdict))
    if stage.blocked is not None:
        return WAITS_BLOCKED.format(worker=stage.blocked[0], reason=stage.blocked[1])
    if stage.closed is not None:
        return WAITS_MONEY.format(pools=", ".join(stage.closed))
    if stage.pledged is not None:
        return stage.pledged
    if stage.capped is not None:
        return WAITS_CAP.format(rule=stage.capped[0], pool=stage.capped[1])
    if not stage.busy:
        return WAITS_FREE
    if waiting.not_away is not None:
        return waiting.not_away
    before = stage.before
    following = WAITS_NEXT_OF.format(job=f"{before[0]:05d}", score=round(before[1], 2)) if before else ""
    return WAITS_TURN.format(ahead=(stage.position or 1) - 1, next=following)


def _pools_in_words(verdict: Route) -> str:
    return "; ".join(f"{v.pool}: {v.reason}" + (f" ({v.detail})" if v.detail else "") for v in verdict.pools)


def _dependency_reason(needs: Sequence[tuple[int, str]]) -> str:
    dead = [(job, status) for job, status in needs if status in (JobStatus.FAILED, JobStatus.CANCELED)]
    if dead:
        return WAITS_DEAD.format(jobs=f"{dead[0][0]:05d}", status=dead[0][1].lower())
    return WAITS_JOBS.format(jobs=", ".join(f"{job:05d}" for job, _status in needs))
