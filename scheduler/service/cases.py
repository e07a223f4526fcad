"""Open handovers with what is wished of their jobs here: what liaison and porter look at. Reads, decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from scheduler.domain import handover as domain
from scheduler.domain.handover import FarJob, HandoverState
from scheduler.domain.states import JobStatus
from scheduler.domain.wishes import effective_priority
from scheduler.service.handing_over import open_handovers
from scheduler.store.production import PriorityOverride
from scheduler.store.sites import Handover
from scheduler.store.tables import Job


@dataclass(frozen=True)
class Case:
    """A handover that is open, with what is wished of its job here. `priority` is the one that it is to have there."""

    row: Handover
    home: JobStatus
    removed: bool
    priority: int

    @property
    def number(self) -> int:
        """The handover's number."""
        return self.row.id or 0

    def snapshot(self, far: FarJob | None = None, *, settled: bool = False) -> domain.Handover:
        """As the decision sees it."""
        row = self.row
        return domain.Handover(
            state=HandoverState(row.state),
            home=self.home,
            priority=self.priority,
            far=far,
            removed=self.removed,
            let_go=row.let_go,
            shipped=row.shipped,
            told_paused=row.told_paused,
            told_priority=row.told_priority,
            told_cancel=row.told_cancel,
            settled=settled,
        )


def load_cases(session: Session, site: str, priority_max: int) -> list[Case]:
    """The open handovers to a site, oldest first."""
    rows = open_handovers(session, site)
    found = [_case(session, row, priority_max) for row in rows]
    session.expunge_all()
    return found


def load_case(session: Session, number: int, priority_max: int) -> Case | None:
    """One handover; None if it was forgotten."""
    row = session.get(Handover, number)
    if row is None:
        return None
    found = _case(session, row, priority_max)
    session.expunge_all()
    return found


def _case(session: Session, row: Handover, priority_max: int) -> Case:
    job = session.get_one(Job, row.job_id)
    override = session.exec(select(PriorityOverride.priority).where(col(PriorityOverride.job_id) == row.job_id)).first()
    priority, _source = effective_priority(job.priority, job.tracked_priority, override)
    return Case(row, JobStatus(job.status), job.removed, min(priority, priority_max))
