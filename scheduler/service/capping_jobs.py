"""A person's say over a job's cost cap after it was submitted."""

from __future__ import annotations

from scheduler.domain.states import TERMINAL_JOBS, JobStatus
from scheduler.errors import Conflict
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.viewing import find_job
from scheduler.store.transaction import Transaction


async def cap_job(farm: Farm, job: int, usd: float | None, by: str) -> None:
    """Change the most that a job may cost in pools with a price, in US dollars; None: no bound any more.

    Nothing of it starts where it costs until the next tick has counted its money. Lower than what it has cost: what
    runs there is stopped then.

    Raises:
        NotFound: there is no such job in the queue.
        Conflict: `job_state`, it has ended; `job_away`, another farm has it and keeps it to the cap it was sent with.
    """

    def change(tx: Transaction, ledger: Ledger) -> None:
        row = find_job(tx.session, job)
        if JobStatus(row.status) in TERMINAL_JOBS:
            raise Conflict(
                f"Job {job:05d} is {row.status}: a cost cap would change nothing.",
                code="job_state",
                details={"status": row.status},
                hint="Cap a job that is queued, running or paused.",
            )
        if row.away is not None:
            raise Conflict(
                f"Job {job:05d} is at {row.away}, with the cost cap that it was sent with.",
                code="job_away",
                details={"site": row.away},
                hint="Cancel it and submit it again with another cap, or change the cap there.",
            )
        before, row.cost_cap_usd = row.cost_cap_usd, usd
        ledger.replan = True
        ledger.event(tx, "job.cost_cap_set", job=job, by=by, old=before, new=usd)

    await farm.change(change)
    farm.live.purses.forget(job)
