"""What is learned and foretold is written down and read back alike on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from farms import LooseFarm
from sqlmodel import col, select

from scheduler.service.forecasting import Forecaster
from scheduler.service.judging import accuracy_report
from scheduler.service.keeping import DAY_S, keep_house
from scheduler.service.learning import Estimator, facts_of
from scheduler.store.production import Forecast
from scheduler.store.tables import Job


@pytest.fixture
def farm(database: str | None, tmp_path: Path) -> Iterator[LooseFarm]:
    opened = LooseFarm(tmp_path, database=database)
    yield opened
    opened.close()


def test_from_the_first_frame_to_the_judgement(farm: LooseFarm) -> None:
    worker = farm.join()
    job = farm.submit(renderer="kernel", frames="1-3", output=str(farm.settings.server.data / "a.####.png"))
    after = farm.submit(renderer="kernel", frames="1-3", depends_on=[f"{job:05d}"])
    farm.deliver(worker, farm.sync(worker, want=1).leases[0])
    with farm.store.read() as session:
        facts = facts_of(session.get_one(Job, job))
    estimator = Estimator(farm.settings.estimates)
    for _ in range(2):  # the second time in place of the first
        estimator.note(facts, "render", 1, 1.0, 1.0)
        assert farm.store.write(lambda tx: estimator.flush(tx, farm.farm.now_s())) == 1
    again = Estimator(farm.settings.estimates)
    assert again.load(farm.store) == 1
    assert again.frame_time(facts, "render").basis == "1 frame of this job"

    forecaster = Forecaster(farm.farm, again)
    farm.run(forecaster.run())
    assert forecaster.finish_s(job) < forecaster.finish_s(after)  # type: ignore[operator]
    for lease in farm.sync(worker, want=4).leases:
        farm.deliver(worker, lease)
    farm.run(forecaster.run())
    farm.run(Forecaster(farm.farm, again).run())
    with farm.store.read() as session:
        assert [row.actual for row in session.exec(select(Forecast).order_by(col(Forecast.id)))] == [farm.farm.now_s()]
        assert accuracy_report(session)["count"] == 1


def test_forecasts_are_forgotten_with_their_jobs(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(renderer="null", frames="1-2")
    forecaster = Forecaster(farm.farm, Estimator(farm.settings.estimates))
    (lease,) = farm.sync(worker, want=1).leases
    farm.sync(worker, reports=[farm.finished(lease)])
    farm.run(forecaster.run())
    farm.sync(worker, reports=[farm.finished(each) for each in farm.sync(worker, want=1).leases])
    farm.run(forecaster.run())
    with farm.store.read() as session:
        assert len(session.exec(select(Forecast)).all()) == 1
    farm.clock.advance((farm.settings.farm.keep_jobs_days + 1) * DAY_S)
    farm.run(keep_house(farm.farm))

    with farm.store.read() as session:
        assert session.exec(select(Forecast)).all() == []
