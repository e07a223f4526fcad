"""Jobs with cost caps as a state machine on a real store: whatever happens in whatever order, none costs more.

Tasks take as long as they like, workers fall silent and come back, attempts fail, caps are raised, the scheduler is
restarted; money is counted at least every ten seconds, as the cap promises.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from farms import LooseFarm
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlmodel import col, select

from scheduler.domain.cost_caps import AHEAD_S
from scheduler.protocol.work import Report, Running
from scheduler.service.capping_jobs import cap_job
from scheduler.service.costing import list_costs
from scheduler.settings import OnpremPool
from scheduler.store.tables import Attempt, Job, Task

POOLS = {"dear": OnpremPool(price_usd_per_hour=360.0), "cheap": OnpremPool(price_usd_per_hour=36.0)}
RULES = [{"name": "anywhere", "when": "true", "allow": ["dear", "cheap"]}]


class CappedMachine(RuleBasedStateMachine):
    """See the module's docstring."""

    workers = Bundle("workers")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outfield-capped-"))
        self.farm = LooseFarm(self.folder, sections={"pools": POOLS, "rules": RULES})
        self.caps: dict[int, float] = {}

    def teardown(self) -> None:
        self.farm.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize(target=workers)
    def a_farm_with_a_dear_worker_and_a_job(self) -> str:
        worker = self.farm.join(pool="dear", slots=1)
        self.a_job_is_submitted(cap=2.5, frames=4, timeout_s=30.0, pools=["dear"])
        return worker

    @rule(target=workers, pool=st.sampled_from(["dear", "cheap", "onprem"]), slots=st.integers(1, 3))
    def a_worker_joins(self, pool: str, slots: int) -> str:
        return self.farm.join(pool=pool, slots=slots)

    @rule(
        cap=st.sampled_from([0.0, 0.3, 2.5, 4.0]),
        frames=st.integers(1, 8),
        timeout_s=st.sampled_from([5.0, 30.0, 300.0]),
        pools=st.sampled_from([["dear"], ["cheap"], ["dear", "cheap", "onprem"]]),
    )
    def a_job_is_submitted(self, cap: float, frames: int, timeout_s: float, pools: list[str]) -> None:
        job = self.farm.submit(
            renderer="null", frames=f"1-{frames}", timeout_s=timeout_s, pools=pools, cost_cap_usd=cap
        )  # fmt: skip
        self.caps[job] = cap

    @rule(target=leases, worker=workers, want=st.integers(1, 3))
    def a_worker_leases(self, worker: str, want: int):
        reply = self.farm.sync(worker, want=want)
        return multiple(*((worker, lease, self.farm.farm.now_s()) for lease in reply.leases))

    @rule(found=consumes(leases), outcome=st.sampled_from(["done", "failed", "returned"]), part=st.floats(0.1, 1.0))
    def an_attempt_ends(self, found, outcome: str, part: float) -> None:
        worker, lease, began_s = found
        seconds = (self.farm.farm.now_s() - began_s) * part
        report = Report(lease.task, lease.attempt, lease.secret, outcome, seconds=seconds)
        self.farm.sync(worker, reports=[report])

    @rule(seconds=st.sampled_from([1.0, 6.0, AHEAD_S, AHEAD_S]), alive=st.sampled_from([True, True, True, False]))
    def time_passes(self, seconds: float, alive: bool) -> None:
        self.farm.clock.advance(seconds)
        self.nothing_costs_more_than_its_cap()
        if alive:
            for worker in list(self.farm.farm.live.workers.values()):
                held = [Running(lease.task, lease.attempt, 0.5, "") for lease in worker.leases.values()]
                self.farm.sync(worker.id, running=held)
        self.farm.run(self.farm.tick.run())

    @rule()
    def a_minute_passes_with_everybody_at_work(self) -> None:
        for _ten_seconds in range(6):
            for worker in list(self.farm.farm.live.workers):
                self.farm.sync(worker, want=1)
            self.time_passes(AHEAD_S, alive=True)

    @rule(worker=workers)
    def a_lost_worker_is_back_with_what_it_ran(self, worker: str) -> None:
        with self.farm.store.read() as session:
            query = select(Attempt.task_id, Attempt.attempt).where(
                col(Attempt.worker) == worker, col(Attempt.status) == "LOST"
            )
            held = [Running(task, attempt, 0.5, "") for task, attempt in session.exec(query).all()]
        self.farm.sync(worker, running=held)

    @rule()
    def frames_are_foretold(self) -> None:
        self.farm.run(self.farm.services.forecaster.run())

    @rule(more=st.floats(0.0, 0.5))
    def caps_are_raised(self, more: float) -> None:
        for job, cap in self.caps.items():
            with self.farm.store.read() as session:
                ended = session.get_one(Job, job).status in ("SUCCEEDED", "FAILED", "CANCELED")
            if not ended:
                self.caps[job] = cap + more
                self.farm.run(cap_job(self.farm.farm, job, cap + more, "artist"))

    @rule()
    def the_scheduler_dies_and_is_back(self) -> None:
        self.farm.restart()

    @invariant()
    def nothing_costs_more_than_its_cap(self) -> None:
        for job, cap in self.caps.items():
            found = self.farm.run(list_costs(self.farm.farm, by="job", job=job, since_s=0.0, limit=1))
            assert not found or found[0]["usd"] <= cap + 1e-4, (job, cap, found)

    @invariant()
    def a_cap_of_nothing_starts_nothing_where_it_costs(self) -> None:
        free = [job for job, cap in self.caps.items() if cap == 0]
        with self.farm.store.read() as session:
            query = select(Attempt.worker).join(Task, col(Task.id) == col(Attempt.task_id))
            workers = session.exec(query.where(col(Task.job_id).in_(free))).all()
        pools = {worker.id: worker.pool for worker in self.farm.farm.live.workers.values()}
        assert all(pools.get(worker, "onprem") == "onprem" for worker in workers)


TestCappedMachine = CappedMachine.TestCase
TestCappedMachine.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
