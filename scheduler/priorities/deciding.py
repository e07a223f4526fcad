"""Which jobs production wishes something new for: the jobs as they are, against what the cached entities say."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from scheduler.domain.states import TERMINAL_JOBS
from scheduler.domain.tracking import Tracked, Wish, tracked
from scheduler.priorities.chains import Cache, Chain, Reference, Want, resolve
from scheduler.priorities.gentle import ROWS_AT_ONCE, gently
from scheduler.priorities.mapping import FieldMapping, wish_of
from scheduler.store.store import Store
from scheduler.store.tables import Job


@dataclass(frozen=True, slots=True)
class TrackedJob:
    """An unfinished job: what it refers to, its own priority, and what is kept of the last wish."""

    job: int
    reference: Reference | None
    priority: int
    kept: Tracked


@dataclass(frozen=True, slots=True)
class Decision:
    """A job for which production wishes something new, against what was `kept` when it was decided."""

    job: int
    wish: Wish
    kept: Tracked
    new: Tracked


def unfinished_jobs(store: Store) -> list[TrackedJob]:
    """The unfinished jobs that refer to the tracker, or did."""
    query = select(
        Job.id,
        Job.tracking,
        Job.priority,
        Job.tracked_priority,
        Job.tracked_source,
        Job.tracked_deadline,
        Job.tracked_hold,
    ).where(col(Job.status).not_in([status.value for status in TERMINAL_JOBS]), col(Job.removed).is_(False))  # type: ignore[call-overload]
    with store.read() as session:
        rows: list[Any] = list(gently(session.exec(query.execution_options(yield_per=ROWS_AT_ONCE))))
    found: list[TrackedJob] = []
    for job, tracking, priority, *kept in gently(rows):
        reference, was = Reference.of(tracking), Tracked(kept[0], kept[1], kept[2], kept[3])
        if reference is not None or was != Tracked():
            found.append(TrackedJob(job, reference, priority, was))
    return found


def chains_of(jobs: Iterable[TrackedJob], cache: Cache) -> dict[Reference, Chain]:
    """The chain of every reference; jobs of one shot share one."""
    references = {job.reference for job in jobs if job.reference is not None}
    return {reference: resolve(reference, cache) for reference in gently(references)}


def decide(
    jobs: Iterable[TrackedJob], cache: Cache, mapping: FieldMapping, now_s: float, absent: AbstractSet[Want]
) -> list[Decision]:
    """The jobs whose wish is not what is kept.

    A job whose chain has a want that was never answered keeps what it has: not to know is not to know otherwise.
    """
    jobs = list(jobs)
    chains = chains_of(jobs, cache)
    known = {
        ref: wish_of(mapping, chain, now_s)
        for ref, chain in gently(chains.items())
        if all(want in absent for want in chain.wants)
    }
    found: list[Decision] = []
    for job in gently(jobs):
        wish = Wish() if job.reference is None else known.get(job.reference)
        if wish is None:
            continue
        new = tracked(wish, job.priority)
        if new != job.kept:
            found.append(Decision(job.job, wish, job.kept, new))
    return found
