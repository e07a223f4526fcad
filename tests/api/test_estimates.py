"""Estimates over HTTP."""

from __future__ import annotations

import pytest
from api_client import ServedFarm

from scheduler.service.forecasting import Forecaster
from scheduler.service.learning import Estimator, JobFacts


@pytest.fixture
def foretold(served: ServedFarm) -> ServedFarm:
    """A farm that foretells; frames of the kernel take 100 s."""
    estimator = Estimator(served.settings.estimates)
    for _ in range(20):
        estimator.note(JobFacts(0, "", "kernel", ""), "render", 1, 100, 1.0)
    served.services.forecaster = Forecaster(served.farm, estimator)
    return served


def look(farm: ServedFarm) -> None:
    farm.run(farm.services.forecaster.run())


def test_an_estimate_with_its_interval_and_its_basis(foretold: ServedFarm) -> None:
    job = foretold.post_job(renderer="kernel", frames="1-40", deadline="2026-01-01T02:00:00Z")
    look(foretold)
    told = foretold.data("GET", f"/jobs/{job}/estimate")

    assert told["low"] < told["finish"] < told["high"]
    assert told["made_at"] == "2026-01-01T00:00:00.000Z"
    assert told["basis"] == "20 frames of this scene"
    assert 5000 < told["slack_s"] < 6500
    (step,) = told["steps"]
    assert (step["kind"], step["waiting"], step["running"], step["frames_per_task"]) == ("render", 40, 0, 1.0)
    assert 50 < step["frame"]["low_s"] < step["frame"]["mid_s"] < step["frame"]["high_s"] < 200


def test_without_an_estimate_the_basis_says_why(foretold: ServedFarm) -> None:
    job = foretold.post_job(renderer="kernel", frames="1-40")
    told = foretold.data("GET", f"/jobs/{job}/estimate")
    foretold.data("POST", f"/jobs/{job}/pause")
    paused = foretold.data("GET", f"/jobs/{job}/estimate")

    assert told["finish"] is told["low"] is told["made_at"] is told["slack_s"] is None
    assert told["steps"] == []
    assert told["basis"].startswith("no estimate yet")
    assert paused["basis"] == "no estimate: the job is paused"


def test_who_may_ask_and_for_which_jobs(foretold: ServedFarm) -> None:
    job = foretold.post_job(renderer="kernel")

    assert foretold.call("GET", "/jobs/77777/estimate").status_code == 404
    assert foretold.call("GET", f"/jobs/{job}/estimate", "worker").status_code == 403


def test_accuracy(foretold: ServedFarm) -> None:
    empty = foretold.data("GET", "/estimates/accuracy")
    assert empty == {"count": 0, "median_error": None, "coverage": None, "by_share": [], "by_renderer": []}

    job = foretold.post_job(renderer="null", frames="1-2")
    other = foretold.post_job(renderer="null", frames="1-2")
    (lease, *_rest) = foretold.lease(2)
    look(foretold)
    assert lease.job == job
    foretold.clock.advance(10)
    for waiting in (*_rest, lease, *foretold.lease(4)):
        report = {"task": waiting.task, "attempt": waiting.attempt, "secret": waiting.secret, "outcome": "done"}
        foretold.data("POST", f"/workers/{foretold.worker}/sync", "worker", json={"reports": [report]})
    look(foretold)
    told = foretold.data("GET", "/estimates/accuracy")

    assert foretold.data("GET", f"/jobs/{other}")["status"] == "SUCCEEDED"
    assert told["count"] == 1
    assert [(group["from"], group["to"], group["count"]) for group in told["by_share"]] == [(0.0, 0.1, 1)]
    assert [(group["renderer"], group["count"]) for group in told["by_renderer"]] == [("null", 1)]
