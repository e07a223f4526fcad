"""The fleet of an order, and what EC2 answers: pure.

One `instant` fleet launches an order whole: EC2 chooses among all types and subnets at once, where there is most room
or, for on-demand, in the pool's order. It leaves nothing behind that would start instances anew.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instant-fleet.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, LABEL_POOL, Instance, InstanceState, LaunchOrder
from scheduler.settings import AwsPool

TAGGED = ("fleet", "instance", "volume", "network-interface")

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a fleet: the instances, and (code, message) for each place that refused."""

    instances: tuple[Instance, ...]
    refusals: tuple[tuple[str, str], ...]


def client_token(farm_id: str, pool: str, intent: str) -> str:
    """EC2 starts one fleet per token; of at most 64 characters, and without telling what it stands for."""
    return f"outfield-{hashlib.sha256(f'{farm_id}/{pool}/{intent}'.encode()).hexdigest()[:48]}"


def tags(settings: AwsPool, order: LaunchOrder, *, farm_id: str, pool: str) -> dict[str, str]:
    """Every tag of an order's instances and volumes; the farm's own three win."""
    own = {LABEL_FARM: farm_id, LABEL_POOL: pool, LABEL_INTENT: order.intent}
    return {**settings.labels, **order.labels, **own}


def places(settings: AwsPool) -> list[Data]:
    """The overrides of the launch template: every type in every subnet, the preferred first."""
    found: list[Data] = []
    ranked = settings.market == "on_demand" or settings.spot_strategy == "capacity-optimized-prioritized"
    for rank, machine in enumerate(settings.instance_types):
        override: Data = {"InstanceType": machine} | ({"Priority": float(rank)} if ranked else {})
        if settings.market == "spot" and settings.spot_price_max_usd_per_hour is not None:
            override["MaxPrice"] = f"{settings.spot_price_max_usd_per_hour:.4f}"
        found += [override | {"SubnetId": subnet} for subnet in settings.subnets] or [override]
    return found


def fleet_request(settings: AwsPool, count: int, *, token: str, template: str, tagged: Mapping[str, str]) -> Data:
    """The parameters of `CreateFleet`."""
    spot = settings.market == "spot"
    options: Data = (
        {"SpotOptions": {"AllocationStrategy": settings.spot_strategy, "InstanceInterruptionBehavior": "terminate"}}
        if spot
        else {"OnDemandOptions": {"AllocationStrategy": "prioritized"}}
    )
    labels = [{"Key": name, "Value": value} for name, value in sorted(tagged.items())]
    return options | {
        "Type": "instant",
        "ClientToken": token,
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": "spot" if spot else "on-demand",
        },
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateName": template, "Version": "1"},
                "Overrides": places(settings),
            }
        ],
        "TagSpecifications": [{"ResourceType": kind, "Tags": labels} for kind in TAGGED],
    }


def read_answer(answer: Mapping[str, Any], intent: str, now_s: float) -> Answer:
    """What `CreateFleet` answered; what was started is taken to be starting."""
    instances: list[Instance] = []
    for group in cast("list[Data]", answer.get("Instances") or []):
        place = _override(group)
        machine = str(group.get("InstanceType") or place.get("InstanceType", ""))
        where = str(place.get("AvailabilityZone") or place.get("SubnetId", ""))
        instances += [
            Instance(str(number), intent, InstanceState.STARTING, now_s, machine, where)
            for number in group.get("InstanceIds") or []
        ]
    refusals = [
        (str(error.get("ErrorCode", "")), _refused(error)) for error in cast("list[Data]", answer.get("Errors") or [])
    ]
    return Answer(tuple(instances), tuple(dict.fromkeys(refusals)))


def _refused(error: Mapping[str, Any]) -> str:
    place = _override(error)
    where = " in ".join(str(place[key]) for key in ("InstanceType", "SubnetId") if place.get(key))
    return f"{where}: {error.get('ErrorMessage', '')}" if where else str(error.get("ErrorMessage", ""))


def _override(part: Mapping[str, Any]) -> Data:
    return cast("Data", (part.get("LaunchTemplateAndOverrides") or {}).get("Overrides") or {})
