"""A person's say over a job's priority: the job's own number, or an override of production's wish with a reason, an
author and, where wanted, an end.

The rule: who gives a reason or an end makes an override; so does who changes a job that production's tracker has a
wish for, because another number of the job's own would change nothing there. Any other change is the job's own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from scheduler.domain.wishes import Source, effective_priority
from scheduler.errors import NotFound, Refused
from scheduler.service.farm import Farm, iso
from scheduler.service.ledger import Ledger
from scheduler.service.viewing import find_job, reading
from scheduler.store.production import PriorityOverride
from scheduler.store.tables import Job
from scheduler.store.transaction import Transaction

PRIORITY_MAX = 100
REASON_MAX = 500
"""Characters of a reason."""

NO_REASON = "no reason was given"


@dataclass(frozen=True)
class WantedPriority:
    """What a person asks for. `ends_at` (seconds since the epoch; None: never) is when an override ends."""

    priority: int
    reason: str = ""
    ends_at: float | None = None

    @property
    def is_override(self) -> bool:
        """Whether it is an override whatever the job."""
        return bool(self.reason) or self.ends_at is not None


async def prioritise_job(
    farm: Farm, job: int, priority: int, by: str, *, reason: str = "", ends_at: float | None = None
) -> Source:
    """Change a job's priority, 0 to 100; returns whose it is now (`override` or `job`).

    Raises:
        Refused: not a priority, a reason that is too long, or an end that is over.
        NotFound: there is no such job in the queue.
    """
    wanted = WantedPriority(priority, reason.strip(), ends_at)
    _check(wanted, farm.now_s())

    def change(tx: Transaction, ledger: Ledger) -> Source:
        row = find_job(tx.session, job)
        override = tx.session.get(PriorityOverride, job)
        before, _ = effective_priority(row.priority, row.tracked_priority, override.priority if override else None)
        source = Source.JOB
        if wanted.is_override or override is not None or row.tracked_priority is not None:
            source = Source.OVERRIDE
            _write(tx, job, wanted, by, ledger.now_s)
        else:
            row.priority = wanted.priority
        ledger.replan = True
        said: dict[str, Any] = {"by": by, "old": before, "new": wanted.priority, "source": source.value}
        if source is Source.OVERRIDE:
            said |= {"reason": wanted.reason or NO_REASON, "until": iso(ends_at)}
        ledger.event(tx, "job.priority", job=job, **said)
        return source

    return await farm.change(change)


async def clear_override(farm: Farm, job: int, by: str) -> None:
    """End a job's override: production's wish counts again, or the job's own priority.

    Raises:
        NotFound: there is no such job in the queue, or it has no override.
    """

    def change(tx: Transaction, ledger: Ledger) -> None:
        row = find_job(tx.session, job)
        override = tx.session.get(PriorityOverride, job)
        if override is None:
            raise NotFound(
                f"The priority of job {job:05d} is not overridden.",
                code="override_unknown",
                hint="`outfield priorities` shows which are.",
            )
        _end(tx, ledger, override, row, by, "cleared")

    await farm.change(change)


async def expire_overrides(farm: Farm, now_s: float) -> int:
    """End the overrides whose time is over; returns how many. Reads one index entry when there is nothing to do."""
    due = select(PriorityOverride).where(col(PriorityOverride.expires_at) <= now_s)
    if await reading(farm, lambda session: session.exec(due.limit(1)).first()) is None:
        return 0

    def change(tx: Transaction, ledger: Ledger) -> int:
        ended = tx.session.exec(due).all()
        for override in ended:
            row = tx.session.get(Job, override.job_id)
            if row is not None:
                _end(tx, ledger, override, row, override.author, "expired")
        return len(ended)

    return await farm.change(change)


def _check(wanted: WantedPriority, now_s: float) -> None:
    if not 0 <= wanted.priority <= PRIORITY_MAX:
        raise _wrong("priority", f"A priority lies between 0 and {PRIORITY_MAX}.")
    if len(wanted.reason) > REASON_MAX:
        raise _wrong("reason", f"A reason has at most {REASON_MAX} characters.")
    if wanted.ends_at is not None and not now_s < wanted.ends_at < float("inf"):
        raise _wrong("expires_at", "The override would be over already: its end must lie in the future.")


def _wrong(field: str, problem: str) -> Refused:
    return Refused(problem, code="invalid_field", details=[{"field": field, "problem": problem}])


def _write(tx: Transaction, job: int, wanted: WantedPriority, by: str, now_s: float) -> None:
    tx.session.merge(
        PriorityOverride(
            job_id=job,
            priority=wanted.priority,
            reason=wanted.reason or NO_REASON,
            author=by,
            created_at=now_s,
            expires_at=wanted.ends_at,
        )
    )


def _end(tx: Transaction, ledger: Ledger, override: PriorityOverride, row: Job, by: str, how: str) -> None:
    after, source = effective_priority(row.priority, row.tracked_priority, None)
    tx.session.delete(override)
    ledger.replan = True
    reason = f"the override by {override.author} was {how}" if how == "cleared" else f"the override has {how}"
    ledger.event(
        tx, "job.priority", job=override.job_id, by=by, old=override.priority, new=after, source=source.value,
        reason=reason,
    )  # fmt: skip
