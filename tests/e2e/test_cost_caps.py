"""A job with a cost cap on a real farm with a worker that costs money: it stays under its cap, says why, and goes on.

The prices are high, so that seconds stand for hours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_farm import RunningFarm

pytestmark = [pytest.mark.processes]

CENTS_PER_S = 5.0
CAP_USD = 1.5

CONFIG = f"""
[estimates]
interval_s = 0.5
[pools.dear]
backend = "onprem"
price_usd_per_hour = {CENTS_PER_S * 36}
[[rules]]
name = "dear"
when = "true"
allow = ["dear"]
"""


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RunningFarm]:
    """A farm whose only worker stands in the pool that costs."""
    file = tmp_path / "outfield.toml"
    file.write_text(CONFIG)
    made = RunningFarm(tmp_path / "data", workers=0, flags=("--config", str(file)))
    code = made.client.post("/tokens", json={"name": "dear", "role": "worker"}).json()["data"]["token"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "scheduler.cli.main", "worker", "--server", made.url, "--join", code,
         "--pool", "dear", "--slots", "1", "--data", str(tmp_path / "worker")],
        env=os.environ | {"OUTFIELD_WORKER__RENDERERS": "null"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield made
    made.stop()
    worker.terminate()
    worker.wait(60)


def outfield(farm: RunningFarm, *words: str) -> Any:
    command = [sys.executable, "-m", "scheduler.cli.main", "--json", *words]
    known = {"OUTFIELD_SERVER": farm.url, "OUTFIELD_TOKEN": farm.token}
    done = subprocess.run(command, env=os.environ | known, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


def cost_usd(farm: RunningFarm, job: str) -> float:
    rows = farm.client.get("/costs", params={"by": "job", "job": job}).json()["data"]
    return rows[0]["usd"] if rows else 0.0


def why(farm: RunningFarm, job: str) -> dict[str, Any]:
    return farm.client.get(f"/jobs/{job}/why").json()["data"]


def reason(told: dict[str, Any]) -> str:
    return next(pool["reason"] for pool in told["route"]["pools"] if pool["pool"] == "dear")


def paid_out(farm: RunningFarm, job: str) -> dict[str, Any] | None:
    """The explanation, once the cap has closed the pool, nothing runs any more and the last cent is counted."""
    running = farm.job(job)["progress"]["running"]
    spent, told = cost_usd(farm, job), why(farm, job)
    assert spent <= CAP_USD
    is_counted = (told["cost_cap"] or {}).get("spent_usd") == pytest.approx(spent, abs=1e-3)
    return told if not running and is_counted and reason(told).startswith("its cost cap of") else None


def test_a_capped_job_stays_under_its_cap_says_why_and_goes_on_with_more(farm: RunningFarm) -> None:
    job = outfield(
        farm, "submit", "--name", "capped", "--renderer", "null", "-p", "sleep_s=1", "--frames", "1-30",
        "--timeout-s", "60", "--cost-cap-usd", str(CAP_USD), "--pool", "dear",
    )["jobID"]  # fmt: skip
    assert farm.job(job)["cost_cap_usd"] == CAP_USD

    told = farm.until(lambda: paid_out(farm, job), within_s=240.0)

    spent = cost_usd(farm, job)
    assert 0.0 < spent <= CAP_USD
    done = farm.job(job)["progress"]["done"]
    assert 1 <= done < 30
    assert told["route"]["chosen"] == []
    assert told["waiting"][0]["tasks"] == 30 - done

    outfield(farm, "cap", job, "4")
    farm.until(lambda: farm.job(job)["progress"]["done"] > done, within_s=120.0)
    outfield(farm, "cap", job, "--none")
    farm.succeed(job, within_s=240.0)


def test_an_attempt_that_never_ends_is_stopped_before_the_cap(farm: RunningFarm) -> None:
    job = farm.submit(
        renderer="null", settings={"sleep_s": 3600}, timeout_s=7200, pools=["dear"], cost_cap_usd=CAP_USD
    )  # fmt: skip
    farm.wait(job, "RUNNING")

    farm.until(lambda: paid_out(farm, job), within_s=240.0)

    (task,) = farm.tasks(job)
    assert (task["status"], task["message"]) == ("READY", "the job's cost cap of 1.50 USD is reached")
    assert 0.0 < cost_usd(farm, job) <= CAP_USD
    kinds = [event["kind"] for event in farm.client.get(f"/jobs/{job}/events").json()["data"]]
    assert "job.cost_cap" in kinds


def test_a_cap_of_nothing_never_starts_where_it_costs(farm: RunningFarm) -> None:
    free = farm.submit(renderer="null", pools=["dear"], cost_cap_usd=0)
    paid = farm.submit(renderer="null", pools=["dear"], priority=10)

    farm.succeed(paid)

    assert farm.job(free)["progress"]["running"] == farm.job(free)["progress"]["done"] == 0
    told = "its cost cap is 0 USD: it runs only where that costs nothing"
    farm.until(lambda: reason(why(farm, free)) == told)
