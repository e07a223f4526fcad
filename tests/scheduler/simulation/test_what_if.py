"""Who finishes when, if one more job were submitted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from farms import LooseFarm
from sqlmodel import select

from scheduler.protocol.traces import MachineSpec, PoolSpec
from scheduler.routing.machines import Needs
from scheduler.routing.reading_rules import read_book
from scheduler.service.submitting import draft_job
from scheduler.service.validating import validate_payload
from scheduler.simulation.planner import Variant
from scheduler.simulation.snapshots import finish_if
from scheduler.simulation.what_if import FarmSnapshot, QueuedJob, QueuedWork, what_if
from scheduler.store.tables import Job

NOW_S = 1_800_000_000.0
HOME = (("onprem", MachineSpec(slots=1), 10),)
NEEDS = Needs("blender")


def queued(job: str, tasks: int, mean_s: float = 100.0, **more: object) -> QueuedJob:
    step = QueuedWork(tasks, mean_s, running=int(more.pop("running", 0)))  # type: ignore[call-overload]
    return QueuedJob(job, NEEDS, (step,), submitted_s=NOW_S - 60, **more)  # type: ignore[arg-type]


def test_a_job_on_an_idle_farm_takes_as_long_as_its_tasks() -> None:
    told = what_if(FarmSnapshot(NOW_S, (), HOME, Variant("now")), queued("new", 30))

    assert told.finish is not None
    assert told.finish.finish_s == NOW_S + 300
    assert told.finish.low_s < told.finish.finish_s < told.finish.high_s
    assert told.shifts == []


def test_a_better_job_goes_first_and_says_whom_it_delays() -> None:
    snapshot = FarmSnapshot(NOW_S, [queued("a", 20), queued("b", 20, priority=90)], HOME, Variant("now"))

    told = what_if(snapshot, queued("new", 10, priority=70))

    assert told.finish is not None
    assert told.finish.finish_s == NOW_S + 300
    assert [(shift.job, shift.delta_s) for shift in told.shifts] == [("a", 100.0)]
    assert told.finishes["b"].finish_s == NOW_S + 200


def test_a_worse_job_delays_nobody() -> None:
    snapshot = FarmSnapshot(NOW_S, [queued("a", 20), queued("b", 20)], HOME, Variant("now"))

    told = what_if(snapshot, queued("new", 10, priority=10))

    assert told.finish is not None
    assert told.finish.finish_s == NOW_S + 500
    assert told.shifts == []


def test_running_tasks_hold_their_slots() -> None:
    snapshot = FarmSnapshot(NOW_S, [queued("a", 0, running=10)], HOME, Variant("now"))

    told = what_if(snapshot, queued("new", 10, priority=100))

    assert told.finish is not None
    assert told.finish.finish_s == NOW_S + 150
    assert told.finishes["a"].finish_s == NOW_S + 50


def test_merges_wait_for_their_parts() -> None:
    new = QueuedJob("new", NEEDS, (QueuedWork(40, 100.0), QueuedWork(10, 5.0, level=1)), submitted_s=NOW_S)

    told = what_if(FarmSnapshot(NOW_S, (), HOME, Variant("now")), new)

    assert told.finish is not None
    assert NOW_S + 405 <= told.finish.finish_s <= NOW_S + 420


def test_without_a_place_there_is_no_finish() -> None:
    new = QueuedJob("new", Needs("blender", gpus=1), (QueuedWork(1, 10.0),), submitted_s=NOW_S)

    told = what_if(FarmSnapshot(NOW_S, [queued("a", 1)], HOME, Variant("now")), new)

    assert told.finish is None
    assert told.finishes["a"].finish_s == NOW_S + 100


def test_rules_send_a_late_job_to_a_pool_that_grows() -> None:
    rules = """
[[rules]]
name = "deadline burst"
when = 'job.deadline_slack_s("onprem") < 0 && job.cloud == "allow"'
allow = ["cloud"]
"""
    pool = PoolSpec("cloud", backend="aws", price_usd_per_hour=1, workers_max=20, machine=MachineSpec(), boot_s=60)
    variants = [Variant("none"), Variant("burst", book=read_book(rules, "toml", 1))]
    snapshots = [FarmSnapshot(NOW_S, [queued("a", 100)], HOME, variant, pools=[pool]) for variant in variants]
    late, early = (what_if(snapshot, queued("new", 100, deadline_s=NOW_S + 600)).finish for snapshot in snapshots)

    assert late is not None
    assert early is not None
    assert late.finish_s > NOW_S + 600
    assert early.finish_s < late.finish_s


def test_the_longest_queue_is_answered_soon() -> None:
    jobs = [queued(f"{number:05d}", 100, 50.0 + number % 7, priority=number % 100) for number in range(5000)]
    workers = (("onprem", MachineSpec(slots=4), 100),)
    started_s = time.perf_counter()

    told = what_if(FarmSnapshot(NOW_S, jobs, workers, Variant("now")), queued("new", 100, priority=99))

    assert told.finish is not None
    assert told.left_out == 4500
    assert time.perf_counter() - started_s < 15


def test_a_running_farm_is_asked_and_stays_as_it_is(tmp_path: Path) -> None:
    farm = LooseFarm(tmp_path)
    worker = farm.join()
    first = farm.submit(renderer="kernel", frames="1-40", priority=50)
    second = farm.submit(renderer="kernel", frames="1-10", priority=40, depends_on=[f"{first:05d}"])
    leased = farm.sync(worker, want=4).leases
    services, payload = farm.services, {"name": "x", "renderer": "kernel", "frames": "1-20"}

    def ask(**more: object) -> dict[str, Any]:
        draft = farm.run(draft_job(farm.farm, "ada", validate_payload(payload | more)))
        asked = finish_if(
            farm.farm, services.forecaster, services.estimator, services.surveyor, services.capper, draft=draft
        )
        return farm.run(asked)

    urgent, idle, nowhere = ask(priority=90), ask(priority=1), ask(requires={"gpus": 8})
    with farm.store.read() as session:
        stored = session.exec(select(Job)).all()
    farm.close()

    assert len(leased) == 4
    assert {job["jobID"] for job in urgent["shifts"]} == {f"{first:05d}", f"{second:05d}"}
    assert all(job["delta_s"] > 0 for job in urgent["shifts"])
    assert idle["shifts"] == []
    assert urgent["estimate"]["low"] < urgent["estimate"]["finish"] < urgent["estimate"]["high"]
    assert urgent["estimate"]["finish"] < idle["estimate"]["finish"]
    assert nowhere["estimate"]["finish"] is None
    assert len(stored) == 2
