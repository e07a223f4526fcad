"""Launching, ending and the books are the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rented_farm import POOL, RentedFarm

from scheduler.domain.costs import account
from scheduler.service.costing import list_costs
from scheduler.service.treasury import standings
from scheduler.store.usage import load_usage


@pytest.fixture
def farm(database: str | None, tmp_path: Path) -> Iterator[RentedFarm]:
    opened = RentedFarm(
        tmp_path,
        database=database,
        budgets={"farm": {"usd": 10.0, "period": "day"}, "Alpha": {"usd": 5.0, "period": "total"}},
        sections={"rules": [{"name": "burst", "when": "true", "allow": [POOL]}]},
    )
    opened.start()
    yield opened
    opened.close()


def test_from_the_intent_to_the_last_cent(farm: RentedFarm) -> None:
    job = farm.submit(frames="1-2", renderer="null", pools=[POOL], tracking={"project": "Alpha", "shot": "sh010"})
    assert farm.apply(1).launched == 1
    farm.pass_time(40.0)
    (box,) = farm.boxes()
    worker = farm.join_from(box.id)
    farm.sync(worker, want=1)
    farm.cloud.strange("test-farm", POOL)
    farm.cloud.preempt(box.id, after_s=20.0)
    farm.pass_time(130.0)

    assert farm.boxes() == []
    assert {row.status for row in farm.rows().values()} == {"GONE"}
    assert [(i.status, i.reserved_usd) for i in farm.intents()] == [("GONE", 0.0)]
    with farm.store.read() as session:
        whole, alpha = standings(session, farm.farm.settings, farm.farm.now_s())
        assert whole.spent_usd == pytest.approx(sum(row.usd for row in farm.rows().values()))
        assert 0 < alpha.spent_usd < whole.spent_usd
        for by in ("pool", "project", "shot", "job", "attempt"):
            usage = load_usage(session, now_s=farm.farm.now_s(), job=job, by=by, launched=True)
            assert account(usage, {}).usd > 0
    names = [farm.run(list_costs(farm.farm, by=by, job=job, since_s=0.0, limit=9))[0]["name"] for by in ("pool", "job")]
    assert names == [POOL, f"{job:05d}"]
