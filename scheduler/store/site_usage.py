"""The named query behind the costs of jobs that were handed over: what workers of other farms spent on them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy
from sqlalchemy import String, cast, func, literal
from sqlmodel import Session, col

from scheduler.domain.costs import Usage
from scheduler.domain.handover import Outcome
from scheduler.store.sites import Handover
from scheduler.store.tables import Job


def load_site_usage(
    session: Session, *, since_s: float, job: int | None, pools: Collection[str] | None, by: str
) -> list[Usage]:
    """Usage as the other farms tell of it, by site, project and what `by` names (as in `scheduler.store.usage`).

    A handover counts whole in the period in which it was last heard of: when its single attempts were, only the other
    farm knows.
    """
    group = _group(by)
    query: Any = (
        sqlalchemy.select(
            *(col(Handover.site), col(Job.project), group, col(Handover.outcome)), func.sum(Handover.far_worked_s)
        )
        .join(Job, col(Job.id) == col(Handover.job_id))
        .where(col(Handover.seen_at) >= since_s, col(Handover.far_worked_s) > 0)
        .group_by(col(Handover.site), col(Job.project), group, col(Handover.outcome))
    )
    if job is not None:
        query = query.where(col(Handover.job_id) == job)
    if pools is not None:
        query = query.where(col(Handover.site).in_(list(pools)))
    return [
        Usage(
            pool=site,
            project=project,
            seconds=float(seconds or 0.0),
            attempts=0,
            useful=outcome in ("", Outcome.HOME),
            group=group,
        )
        for site, project, group, outcome, seconds in session.exec(query).all()
    ]


def _group(by: str) -> Any:
    if by == "attempt":
        return col(Handover.site) + "." + cast(col(Handover.id), String)
    if by == "job":
        return cast(col(Job.id), String)
    return col(Job.shot) if by == "shot" else literal("") if by == "pool" else col(Job.project)
