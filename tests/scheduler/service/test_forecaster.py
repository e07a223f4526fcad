"""The running scheduler's forecasts: from the live plan, for `why` and the ranking, recorded and judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from farms import LooseFarm
from sqlmodel import col, select

from scheduler.domain.states import JobStatus
from scheduler.routing.machines import Machine, Needs
from scheduler.service.controlling import cancel_job, pause_job
from scheduler.service.fleet import Asked, Host, muster
from scheduler.service.forecasting import Forecaster
from scheduler.service.judging import accuracy_report
from scheduler.service.learning import Estimator, facts_of
from scheduler.store.production import Forecast
from scheduler.store.tables import Job, Worker

FRAME_S = 100.0


class Foretold:
    """A farm with a forecaster; every frame of the scenes takes 100 s, and that is known."""

    def __init__(self, data: Path) -> None:
        self.farm = LooseFarm(data)
        self.estimator = Estimator(self.farm.settings.estimates)
        self.forecaster = Forecaster(self.farm.farm, self.estimator)

    def submit(self, frames: str, *, known: bool = True, **payload: Any) -> int:
        out = str(self.farm.settings.server.data / "out.####.png")
        job = self.farm.submit(renderer="kernel", frames=frames, output=out, **payload)
        if known:
            with self.farm.store.read() as session:
                facts = facts_of(session.get_one(Job, job))
            for kind in ("render", "part"):
                for _ in range(60):
                    self.estimator.note(facts, kind, 1, FRAME_S, 1.0)
        return job

    def look(self) -> None:
        self.farm.run(self.forecaster.run())

    def left_s(self, job: int) -> float:
        finish_s = self.forecaster.finish_s(job)
        assert finish_s is not None
        return finish_s - self.farm.farm.now_s()

    def rows(self) -> list[Forecast]:
        with self.farm.store.read() as session:
            return list(session.exec(select(Forecast).order_by(col(Forecast.id))).all())

    def finish(self, worker: str) -> None:
        while leases := self.farm.sync(worker, want=4).leases:
            for lease in leases:
                self.farm.deliver(worker, lease)
        self.farm.run(self.farm.tick.run())


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Foretold]:
    found = Foretold(tmp_path)
    yield found
    found.farm.close()


def test_jobs_one_after_the_other_on_four_slots(told: Foretold) -> None:
    told.farm.join()
    first, second = told.submit("1-40"), told.submit("1-40")
    told.look()

    # Chance lengthens the last frame; the order is that of the plan.
    assert told.left_s(first) == pytest.approx(1000, rel=0.15)
    assert told.left_s(second) == pytest.approx(2000, rel=0.15)


def test_the_shape_that_why_carries(told: Foretold) -> None:
    told.farm.join()
    job = told.submit("1-40")
    assert told.forecaster.told(job, "QUEUED") == {
        "finish": None, "low": None, "high": None, "basis": "no estimate yet: finish times are foretold every 15 s",
    }  # fmt: skip
    told.look()
    shown = told.forecaster.told(job, "QUEUED")

    assert set(shown) == {"finish", "low", "high", "basis"}
    assert shown["low"] < shown["finish"] < shown["high"]
    assert shown["finish"].startswith("2026-01-01T00:1")
    assert shown["basis"] == "60 frames of this job"
    assert told.forecaster.told(job, "PAUSED")["basis"] == "no estimate: the job is paused"
    assert told.forecaster.told(job, "SUCCEEDED")["finish"] is None


def test_slack_is_what_the_ranking_is_told(told: Foretold) -> None:
    told.farm.join()
    job = told.submit("1-40")
    told.look()
    finish_s = told.forecaster.finish_s(job)
    assert finish_s is not None

    assert told.forecaster.slack_s(job, finish_s + 60) == 60
    assert told.forecaster.slack_s(job, None) is None
    assert told.forecaster.slack_s(job + 1, finish_s) is None


def test_without_a_worker_there_is_no_estimate_but_a_reason(told: Foretold) -> None:
    job = told.submit("1-4")
    told.look()

    assert told.forecaster.finish_s(job) is None
    assert told.forecaster.told(job, "QUEUED")["basis"].startswith("no estimate: no worker is here that could take it")


def test_ratings_of_the_workers_count(told: Foretold) -> None:
    worker = told.farm.join()
    job = told.submit("1-40")
    told.look()
    before = told.left_s(job)
    told.farm.store.write(lambda tx: setattr(tx.session.get(Worker, worker), "rating", 2.0))
    told.look()

    assert told.left_s(job) == pytest.approx(before / 2, rel=0.02)


def test_a_drained_worker_takes_nothing(told: Foretold) -> None:
    worker, _other = told.farm.join("a"), told.farm.join("b")
    job = told.submit("1-40")
    told.look()
    before = told.left_s(job)
    told.farm.farm.live.workers[worker].drain = True
    told.look()

    assert told.left_s(job) > 1.5 * before


def test_what_runs_counts_with_its_progress(told: Foretold) -> None:
    worker = told.farm.join()
    job = told.submit("1-4")
    leases = told.farm.sync(worker, want=4).leases
    told.look()
    start = told.left_s(job)
    told.farm.clock.advance(50)
    told.look()
    later = told.left_s(job)
    for lease in leases:
        told.farm.farm.live.leases[lease.task].progress = 0.9
    told.look()

    assert start == pytest.approx(FRAME_S, rel=0.2)
    assert later == pytest.approx(FRAME_S / 2, rel=0.2)
    assert told.left_s(job) == pytest.approx(0.9 * 50 / 9 + 1, rel=0.3)


def test_tiles_and_their_merge(told: Foretold) -> None:
    told.farm.join()
    job = told.submit("1-8", split={"tiles": [4, 4]})
    told.look()

    (merge, parts) = sorted(told.forecaster.last.steps[job], key=lambda step: step.kind)
    assert (parts.kind, parts.waiting, parts.frames_per_task) == ("render", 128, 1 / 16)
    assert (merge.kind, merge.waiting, merge.frames_per_task) == ("merge", 8, 1.0)
    assert told.left_s(job) == pytest.approx(8 * FRAME_S / 4 + 8 * 5 / 4, rel=0.3)


def test_a_job_that_waits_for_another_comes_after_it(told: Foretold) -> None:
    told.farm.join()
    first = told.submit("1-40")
    second = told.submit("1-40", depends_on=[f"{first:05d}"])
    third = told.submit("1-40", depends_on=[f"{second:05d}"])
    told.look()

    assert told.left_s(second) == pytest.approx(2 * told.left_s(first), rel=0.15)
    assert told.left_s(third) == pytest.approx(3 * told.left_s(first), rel=0.15)


def test_forecasts_are_recorded_and_judged(told: Foretold) -> None:
    worker = told.farm.join()
    job = told.submit("1-8")
    told.farm.deliver(worker, told.farm.sync(worker, want=1).leases[0])
    told.look()
    told.farm.clock.advance(30)
    told.look()
    assert [(row.job_id, row.share, row.actual) for row in told.rows()] == [(job, 1 / 8, None)]
    told.farm.clock.advance(600)
    told.look()
    assert len(told.rows()) == 2
    told.finish(worker)
    told.look()

    ended_s = told.farm.farm.now_s()
    assert [row.actual for row in told.rows()] == [ended_s] * 2
    with told.farm.store.read() as session:
        assert session.get_one(Job, job).status == JobStatus.SUCCEEDED
        report = accuracy_report(session)
    assert report["count"] == 2
    assert [group["renderer"] for group in report["by_renderer"]] == ["kernel"]
    assert [(group["from"], group["to"]) for group in report["by_share"]] == [(0.1, 0.25)]


def test_what_is_canceled_or_paused_is_not_judged(told: Foretold) -> None:
    worker = told.farm.join()
    jobs = told.submit("1-8"), told.submit("1-8")
    told.farm.sync(worker, want=1)
    told.farm.run(told.farm.tick.run())
    told.look()
    assert [row.job_id for row in told.rows()] == [jobs[0]]
    told.farm.run(pause_job(told.farm.farm, jobs[0], "artist"))
    told.farm.run(cancel_job(told.farm.farm, jobs[1], "artist"))
    told.look()

    assert told.rows() == []


def test_after_a_restart_the_record_is_taken_up(told: Foretold) -> None:
    worker = told.farm.join()
    told.submit("1-2")
    told.farm.deliver(worker, told.farm.sync(worker, want=1).leases[0])
    told.look()
    told.finish(worker)
    again = Forecaster(told.farm.farm, told.estimator)
    told.farm.run(again.run())

    assert [row.actual for row in told.rows()] == [told.farm.farm.now_s()]
    third = Forecaster(told.farm.farm, told.estimator)
    told.farm.run(third.run())
    assert third._calibration == again._calibration


def machine(name: str, memory_gib: float, vcpus: int = 8) -> Machine:
    return Machine(name, vcpus, memory_gib, renderers={"blender": ("4.2.0",)})


def test_the_fleet_is_grouped_by_what_it_can_take() -> None:
    small, large = Needs("blender"), Needs("blender", vcpus=8, memory_gib=60)
    hosts = [
        Host("a", "onprem", machine("a", 31.2), 4),
        Host("b", "onprem", machine("b", 31.4), 4, 1.1),
        Host("c", "onprem", machine("c", 125.0), 4),
        Host("d", "onprem", machine("d", 125.0), 4, 3.0),
        Host("e", "cloud", machine("e", 125.0), 4),
    ]
    asked = [Asked(small, ("onprem",)), Asked(large, ("onprem",)), Asked(small, ("onprem", "cloud"))]
    fleet = muster(hosts, asked)

    assert fleet.group_of["a"] == fleet.group_of["b"]
    assert len(fleet.groups) == 4
    assert fleet.groups[fleet.group_of["a"]].count == 8
    assert fleet.power(fleet.group_of["a"]) == pytest.approx(1.05)
    assert set(fleet.usable[asked[1]]) == {fleet.group_of["c"], fleet.group_of["d"]}
    assert set(fleet.usable[asked[2]]) == set(fleet.groups)
    assert (fleet.width[small], fleet.width[large]) == (1.0, 4.0)
    assert muster([], asked).usable[asked[0]] == ()
