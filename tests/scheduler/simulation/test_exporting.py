"""A farm's history as a trace: exported, read back, and replayed in the order in which the farm leased."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from farms import LooseFarm

from scheduler.protocol.traces import MachineSpec
from scheduler.protocol.work import Report
from scheduler.service.controlling import cancel_job, pause_job, resume_job
from scheduler.service.exporting import Export, export_trace
from scheduler.service.overriding import prioritise_job
from scheduler.settings import AwsPool, PolicySettings
from scheduler.simulation.engine import simulate
from scheduler.simulation.options import Options
from scheduler.simulation.planner import Variant
from scheduler.simulation.traces import Trace, read_trace
from scheduler.simulation.variants import read_ordering
from scheduler.simulation.workload import prepare

Leased = list[tuple[str, int, int]]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LooseFarm]:
    made = LooseFarm(tmp_path)
    yield made
    made.close()


def exported(farm: LooseFarm, wanted: Export | None = None) -> Trace:
    async def lines() -> list[bytes]:
        return [part async for part in export_trace(farm.farm, wanted or Export())]

    return read_trace(b"".join(farm.run(lines())).splitlines())


def work_off(farm: LooseFarm, worker: str, seconds: float = 10.0) -> Leased:
    """One task after the other, each `seconds` long; what was leased, as (job, step's level, place in the step)."""
    leased: Leased = []
    while True:
        reply = farm.sync(worker, want=1)
        if not reply.leases:
            farm.run(farm.tick.run())
            reply = farm.sync(worker, want=1)
            if not reply.leases:
                return leased
        (lease,) = reply.leases
        with farm.store.read() as session:
            level, seq = session.connection().exec_driver_sql(
                "SELECT step.level, task.seq FROM task JOIN step ON step.id = task.step_id WHERE task.id = "
                + str(lease.task)
            ).one()  # fmt: skip
        leased.append((f"{int(lease.job):05d}", level, seq))
        farm.clock.advance(seconds)
        if lease.renderer == "null":
            farm.sync(worker, reports=[Report(lease.task, lease.attempt, lease.secret, "done", seconds=seconds)])
        else:
            farm.deliver(worker, lease)


def test_the_simulator_leases_in_the_order_of_the_farm(farm: LooseFarm) -> None:
    for priority, frames in ((40, "1-3"), (60, "1-4x2"), (60, "1-2"), (50, "1-6")):
        farm.submit(renderer="null", priority=priority, frames=frames, chunk=2 if frames == "1-6" else 1)
    farm.submit(renderer="kernel", priority=55, frames="1", split={"tiles": [2, 2]})
    worker = farm.join()
    on_the_farm = work_off(farm, worker)

    trace = exported(farm)
    line = trace.workers[0]
    one_slot = msgspec.structs.replace(line, machine=MachineSpec(slots=1))
    outcome = simulate(
        prepare(Trace(trace.farm, (one_slot,), trace.jobs)), Variant("farm"), Options(record_leases=True)
    )

    assert len(on_the_farm) == 3 + 2 + 2 + 3 + 5
    assert [(lease.job, lease.step, lease.seq) for lease in outcome.leases] == on_the_farm
    assert outcome.tasks_done == len(on_the_farm)


def test_shares_are_kept_as_on_the_farm(farm: LooseFarm) -> None:
    policy = PolicySettings(shares={"Alpha": 2.0, "Beta": 1.0})
    farm.farm.settings = farm.farm.settings.model_copy(update={"policy": policy})
    for project in ("Alpha", "Beta"):
        farm.submit(renderer="null", frames="1-12", tracking={"project": project})
    worker = farm.join()
    leased: list[str] = []
    for _ in range(24):
        farm.run(farm.tick.run())
        (lease,) = farm.sync(worker, want=1).leases
        leased.append("Alpha" if int(lease.job) == 1 else "Beta")
        farm.clock.advance(20)
        farm.run(farm.tick.run())
        farm.clock.advance(5)
        farm.sync(worker, reports=[Report(lease.task, lease.attempt, lease.secret, "done", seconds=25.0)])

    trace = exported(farm)
    one_slot = msgspec.structs.replace(trace.workers[0], machine=MachineSpec(slots=1))
    ordering = read_ordering("shares.Alpha=2,shares.Beta=1")
    outcome = simulate(
        prepare(Trace(trace.farm, (one_slot,), trace.jobs)),
        Variant("farm", ordering),
        Options(record_leases=True, plan_interval_s=1.0),
    )

    assert leased[:9].count("Alpha") == 6
    assert ["Alpha" if lease.job == "00001" else "Beta" for lease in outcome.leases] == leased


def test_what_is_exported_is_what_happened(farm: LooseFarm) -> None:
    first = farm.submit(
        renderer="null", frames="1-2", priority=30, name="a", deadline="2026-01-01T01:00:00Z",
        tracking={"project": "Alpha", "shot": "sh010"}, requires={"memory_gib": 2, "tags": []},
    )  # fmt: skip
    second = farm.submit(renderer="null", frames="1", paused=True, depends_on=[f"{first:05d}"])
    worker = farm.join()
    farm.clock.advance(100)
    farm.run(prioritise_job(farm.farm, first, 80, "ada"))
    work_off(farm, worker, seconds=7.0)
    farm.clock.advance(100)
    farm.run(resume_job(farm.farm, second, "ada"))
    farm.run(pause_job(farm.farm, second, "ada"))
    farm.run(cancel_job(farm.farm, second, "ada"))

    trace = exported(farm)
    one, two = trace.jobs

    assert trace.farm.origin == "2026-01-01T00:00:00.000Z"
    assert (one.job, one.project, one.shot, one.owner, one.priority) == ("00001", "Alpha", "sh010", "artist", 30)
    assert one.seconds == ((7.0, 7.0),)
    assert one.deadline_s == 3600.0
    assert [(change.at_s, change.priority) for change in one.changes] == [(100.0, 80)]
    assert two.depends_on == ("00001",)
    assert two.seconds == ((None,),)
    assert [(change.at_s, change.hold) for change in two.changes] == [
        (0.0, True), (214.0, False), (214.0, True), (214.0, False),
    ]  # fmt: skip
    assert two.canceled_s == pytest.approx(214.0)
    assert trace.workers[0].machine.slots == 4


def test_an_anonymous_trace_tells_no_names(farm: LooseFarm) -> None:
    farm.join("ada-desk", tags=["secretgpu"])
    for shot in ("sh010", "sh020", "sh010"):
        farm.submit(
            renderer="null", name="secret", tracking={"project": "Secret", "shot": shot},
            requires={"tags": ["secretgpu"]},
        )  # fmt: skip

    async def text() -> bytes:
        return b"".join([part async for part in export_trace(farm.farm, Export(anonymous=True))])

    told = farm.run(text())
    trace = read_trace(told.splitlines())

    for word in (b"ecret", b"sh010", b"artist", b"ada"):
        assert word not in told
    assert [job.shot for job in trace.jobs] == ["shot-1", "shot-2", "shot-1"]
    assert trace.jobs[0].requires.tags == trace.workers[0].machine.tags == ("tag-1",)


def test_a_window_of_time(farm: LooseFarm) -> None:
    start = farm.farm.now_s()
    for _ in range(4):
        farm.submit(renderer="null")
        farm.clock.advance(3600)

    trace = exported(farm, Export(since_s=start + 3600, until_s=start + 3 * 3600))

    assert [(job.job, job.submitted_s) for job in trace.jobs] == [("00002", 0.0), ("00003", 3600.0)]


def test_a_pool_with_a_bound_grows_on_demand(farm: LooseFarm) -> None:
    pools = {"aws": AwsPool(region="eu-west-1", price_usd_per_hour=0.5, workers_max=3)}
    farm.farm.settings = farm.farm.settings.model_copy(update={"pools": pools})

    (pool,) = exported(farm).farm.pools

    assert (pool.name, pool.backend, pool.workers_max, pool.price_usd_per_hour) == ("aws", "aws", 3, 0.5)
    assert pool.machine is not None


def test_a_cost_cap_is_in_the_trace_of_a_job_that_has_one(farm: LooseFarm) -> None:
    farm.submit(renderer="null", cost_cap_usd=2.5)
    farm.submit(renderer="null")

    assert [job.cost_cap_usd for job in exported(farm).jobs] == [2.5, None]
