"""The two clouds as a whole burst needs them: a pool of each for `outfield.toml`, and what has to be true there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from fake_ec2 import FakeEc2
from fake_gce import FakeGce

LIFE_S = 3600
"""`life_s` of the pools."""

HELD_S = 60.0
"""How long the answer to a launch is held back, unless it is let go before."""


@dataclass
class Cloud:
    """What a test of a burst needs of a provider."""

    name: str
    pool: str
    alive: Callable[[], dict[str, str]]
    powered_off: Callable[[str], object]
    look_at: Callable[[str, dict[str, Any]], None]
    """Assert what has to be true of an instance, given the farm's launch."""
    hold_answer: Callable[[], None]
    let_go: Callable[[], None]
    orders: Callable[[], int]
    """How often it was asked to launch."""


def on_aws(ec2: FakeEc2) -> Cloud:
    """A pool `aws`; what there is, is asked of EC2 itself."""
    client = boto3.client(
        "ec2", endpoint_url=ec2.url, region_name=ec2.region, aws_access_key_id="x", aws_secret_access_key="y"
    )

    def look_at(number: str, launch: dict[str, Any]) -> None:
        (reservation,) = client.describe_instances(InstanceIds=[number])["Reservations"]
        (instance,) = reservation["Instances"]
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert tags.items() >= {"outfield-farm": launch["farm"], "outfield-pool": "aws"}.items()
        assert tags["outfield-intent"] == launch["intent"]
        assert instance["InstanceType"] in ("c7i.2xlarge", "c6i.2xlarge")
        asked = ec2.template_of(number)
        service = {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
        assert asked["MetadataOptions"] == service
        assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
        assert [card["AssociatePublicIpAddress"] for card in asked["NetworkInterfaces"]] == [False]
        assert str(LIFE_S // 60) in ec2.life_limit(number)

    pool = (
        f'[pools.aws]\nbackend = "aws"\nregion = "{ec2.region}"\nendpoint_url = "{ec2.url}"\nimage = "{ec2.image}"\n'
        'instance_types = ["c7i.2xlarge", "c6i.2xlarge"]\nmarket = "spot"\n'
    )
    return Cloud(
        "aws",
        pool,
        ec2.alive,
        ec2.shut_down,
        look_at,
        hold_answer=lambda: ec2.slow("CreateFleet", HELD_S),
        let_go=ec2.released.set,
        orders=lambda: len(ec2.sent("CreateFleet")),
    )


def on_gce(gce: FakeGce) -> Cloud:
    """A pool `gce`; what there is, is read as it was asked for."""

    def look_at(identity: str, launch: dict[str, Any]) -> None:
        body = gce.machine(identity).body
        labels = {"outfield-farm": launch["farm"], "outfield-pool": "gce", "outfield-intent": launch["intent"]}
        assert body["labels"].items() >= labels.items()
        assert [card.get("accessConfigs", []) for card in body["networkInterfaces"]] == [[]]
        assert not body.get("serviceAccounts")
        assert body["machineType"].endswith("c3-standard-8")
        limits = body["scheduling"]
        assert int(limits["maxRunDuration"]["seconds"]) == LIFE_S
        assert limits["instanceTerminationAction"] == "DELETE"
        assert limits["provisioningModel"] == "SPOT"

    pool = (
        f'[pools.gce]\nbackend = "gce"\nproject = "{gce.project.name}"\nendpoint = "{gce.url}"\n'
        'zones = ["europe-west1-b"]\nmachine_type = "c3-standard-8"\nprovisioning = "spot"\n'
    )
    return Cloud(
        "gce",
        pool,
        gce.alive,
        gce.power_off,
        look_at,
        hold_answer=lambda: gce.slow("bulk_insert", HELD_S),
        let_go=gce.released.set,
        orders=lambda: len(gce.sent("bulk_insert")),
    )
