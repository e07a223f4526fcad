"""`GET /cloud/plan`: what autoscaling would do, over HTTP."""

from __future__ import annotations

from api_client import ServedFarm

from scheduler.settings import AwsPool, GcePool


def test_the_plan_names_the_pools_that_are_scaled(served: ServedFarm) -> None:
    aws = AwsPool(region="eu-west-1", autoscale="demand", workers_max=5, price_usd_per_hour=0.5)
    gce = GcePool(project="studio", zones=("europe-west1-b",))
    served.farm.settings = served.settings.model_copy(update={"pools": {"aws": aws, "gce": gce}})

    (pool,) = served.data("GET", "/cloud/plan")["pools"]

    assert (pool["pool"], pool["autoscale"], pool["workers_max"], pool["wanted"]) == ("aws", "demand", 5, None)
    (reason,) = pool["reasons"]
    assert reason.startswith("its backend has not said yet what it offers, or launches nothing; `outfield cloud ls`")
    assert served.data("GET", "/cloud/plan")["jobs"] == []
