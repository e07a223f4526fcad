"""The plan of a running farm: priorities, shares and rules decide what workers get, and `why` tells the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from farms import LooseFarm

from scheduler.protocol.work import Lease, Report, Running
from scheduler.service.rulekeeping import NewRules, replace_rules
from scheduler.service.submitting import draft_job
from scheduler.service.validating import validate_payload
from scheduler.settings import AwsPool, PolicySettings

Start = Callable[..., LooseFarm]
POOLS = {"aws": AwsPool(region="eu-west-1", price_usd_per_hour=0.2, tags=("cloud",))}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    farms: list[LooseFarm] = []

    def make(**sections: Any) -> LooseFarm:
        farms.append(LooseFarm(tmp_path, sections={"pools": POOLS} | sections))
        return farms[-1]

    yield make
    for farm in farms:
        farm.close()


def put(farm: LooseFarm, *rules: dict[str, Any]) -> None:
    """Put rules in force, and plan."""
    farm.run(replace_rules(farm.farm, NewRules(json.dumps({"rules": list(rules)}), "json", "admin")))
    farm.run(farm.tick.run())


def why(farm: LooseFarm, job: int) -> dict[str, Any]:
    return farm.run(farm.services.explainer.why_job(job))


def leases(farm: LooseFarm, worker: str, want: int = 1) -> list[Lease]:
    return farm.sync(worker, want=want).leases


def done(farm: LooseFarm, worker: str, lease: Lease) -> None:
    farm.sync(worker, reports=[Report(lease.task, lease.attempt, lease.secret, "done", seconds=1.0)])
    farm.run(farm.tick.run())


def null(farm: LooseFarm, **payload: Any) -> int:
    return farm.submit(**({"renderer": "null", "frames": "1-50"} | payload))


def test_without_a_rule_no_job_leaves_home(start: Start) -> None:
    farm = start()
    away = farm.join("cloud", pool="aws")
    job = null(farm)
    assert leases(farm, away) == []
    pools = {pool["pool"]: pool for pool in why(farm, job)["route"]["pools"]}
    assert not pools["aws"]["allowed"]
    assert pools["aws"]["reason"]


def test_a_rule_opens_a_pool_for_the_jobs_that_it_names(start: Start) -> None:
    farm = start()
    away = farm.join("cloud", pool="aws")
    put(farm, {"name": "alpha may burst", "when": 'job.tracking.project == "Alpha"', "allow": ["aws"]})
    beta = null(farm, tracking={"project": "Beta"}, priority=90)
    alpha = null(farm, tracking={"project": "Alpha"}, priority=10)
    assert [lease.job for lease in leases(farm, away, 3)] == [f"{alpha:05d}"] * 3
    assert "alpha may burst" in why(farm, alpha)["route"]["rules"]
    assert why(farm, beta)["route"]["chosen"] == ["onprem"]


def test_a_rule_that_forbids_everything_is_the_reason_that_is_told(start: Start) -> None:
    farm = start()
    worker = farm.join()
    put(farm, {"name": "strike", "forbid": ["onprem"]})
    job = null(farm)
    assert leases(farm, worker) == []
    (waiting,) = why(farm, job)["waiting"]
    assert "strike" in waiting["reason"]
    put(farm)
    assert len(leases(farm, worker)) == 1


def test_a_cap_bounds_what_runs_and_is_told(start: Start) -> None:
    farm = start()
    first, second = farm.join("a"), farm.join("b")
    put(farm, {"name": "two for sims", "when": 'job.name == "sim"', "cap": {"pool": "onprem", "slots": 2}})
    job = null(farm, name="sim")
    got = leases(farm, first, 4)
    assert len(got) == 2
    assert leases(farm, second, 4) == []
    assert "two for sims" in why(farm, job)["waiting"][0]["reason"]
    done(farm, first, got[0])
    assert len(leases(farm, second, 4)) == 1


def test_tags_that_a_rule_requires_are_asked_of_workers(start: Start) -> None:
    farm = start()
    plain = farm.join("plain")
    put(farm, {"name": "gpu only", "require_tags": ["gpu"]})
    job = null(farm)
    assert leases(farm, plain) == []
    assert "gpu" in why(farm, job)["waiting"][0]["reason"]
    fitted = farm.join("fitted", tags=["gpu"])
    assert len(leases(farm, fitted)) == 1


def test_the_tags_of_a_pool_are_those_of_its_workers(start: Start) -> None:
    farm = start()
    away = farm.join("cloud", pool="aws")
    put(farm, {"name": "cloud", "allow": ["aws"], "require_tags": ["cloud"]})
    null(farm)
    assert len(leases(farm, away)) == 1


def test_shares_let_the_later_show_have_its_part(start: Start) -> None:
    """Alpha was first and has the higher number; with shares Beta gets a third of the farm all the same."""
    policy = PolicySettings(shares={"Alpha": 2.0, "Beta": 1.0})
    farm = start(policy=policy)
    worker = farm.join(slots=1)
    alpha = null(farm, tracking={"project": "Alpha"}, priority=60)
    null(farm, tracking={"project": "Beta"}, priority=50)
    got: Counter[str] = Counter()
    for _round in range(30):
        (lease,) = leases(farm, worker)
        got[lease.job] += 1
        for _part in range(4):
            farm.clock.advance(15.0)
            farm.sync(worker, running=[Running(lease.task, lease.attempt)])
            farm.run(farm.tick.run())
        done(farm, worker, lease)
    assert 18 <= got[f"{alpha:05d}"] <= 22
    assert why(farm, alpha)["rank"]["parts"]["share"] != 0


def test_the_parts_of_the_rank_sum_to_the_score_of_the_plan(start: Start) -> None:
    farm = start(policy=PolicySettings(shares={"Alpha": 1.0}))
    farm.join()
    null(farm, tracking={"project": "Alpha"}, deadline="2026-01-01T01:00:00Z")
    job = null(farm, tracking={"project": "Alpha"}, priority=70, deadline="2026-01-02T01:00:00Z")
    farm.run(farm.services.forecaster.run())
    farm.run(farm.tick.run())
    told = why(farm, job)["rank"]
    (planned,) = [step for step in farm.farm.live.plan.steps if step.card.job == job]
    assert sum(told["parts"].values()) == pytest.approx(told["score"], abs=1e-6)
    assert told["score"] == pytest.approx(planned.score, abs=1e-6)
    assert told["parts"]["deadline"] > 0


def test_a_job_that_does_not_exist_is_explained_in_the_same_shape(start: Start) -> None:
    farm = start()
    farm.join()
    ahead = null(farm, priority=80)
    payload = validate_payload({"name": "maybe", "renderer": "null", "priority": 60})
    told = farm.services.explainer.why_draft(farm.run(draft_job(farm.farm, "artist", payload)))
    assert set(told) == set(why(farm, ahead))
    assert (told["job"], told["rank"]["position"], told["rank"]["of"]) == (None, 2, 2)
    assert farm.submit(renderer="null") == ahead + 1, "nothing was stored"


def test_rules_of_the_settings_are_the_first_version(start: Start) -> None:
    farm = start(rules=({"name": "strike", "forbid": ["onprem"]},))
    worker = farm.join()
    null(farm)
    assert leases(farm, worker) == []
    assert farm.farm.book.version == 1
