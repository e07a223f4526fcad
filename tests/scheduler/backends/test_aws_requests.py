"""What a launch on EC2 asks for: tags, no public address, limits; what the plan said; the same for the same order.

`OUTFIELD_WRITE_GOLDEN=1` writes the recording anew; look at the difference before keeping it.
"""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from ec2_pools import START_UP, Ec2Desk
from fake_ec2 import FakeEc2

from scheduler.backends.aws.templates import accepted, template_data
from scheduler.backends.aws.user_data import OWN_NUMBER, user_data
from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, LABEL_POOL, LaunchOrder
from scheduler.backends.identity import with_identity
from scheduler.settings import AwsPool

GOLDEN = Path(__file__).parents[2] / "golden" / "aws" / "launch.json"


@pytest.fixture
def desk(ec2: FakeEc2) -> Ec2Desk:
    return Ec2Desk(ec2)


@pytest.fixture
def client(ec2: FakeEc2) -> Any:
    """A client beside the backend's: what the account's owner would see."""
    return boto3.client("ec2", endpoint_url=ec2.url, region_name=ec2.region)


def described(client: Any, numbers: list[str]) -> list[dict[str, Any]]:
    groups = client.describe_instances(InstanceIds=numbers)["Reservations"]
    return [instance for group in groups for instance in group["Instances"]]


def tags_of(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def test_what_the_real_client_sends_is_as_recorded(ec2: FakeEc2) -> None:
    order = LaunchOrder("intent-0001", 2, START_UP, 3600.0, {"outfield-job": "00007"})
    full = {
        "security_groups": ["sg-0a0b0c0d"],
        "instance_profile": "outfield-worker",
        "spot_price_max_usd_per_hour": 0.2,
        "labels": {"cost-centre": "shots"},
    }
    Ec2Desk(ec2, farm="farm-a").backend(**full).launch(order)
    actions = ("CreateLaunchTemplate", "CreateFleet", "DeleteLaunchTemplate")
    seen = {action: settled(ec2, ec2.sent(action)[0]) for action in actions}
    if os.environ.get("OUTFIELD_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(json.dumps(seen, indent=1) + "\n")

    assert seen == json.loads(GOLDEN.read_text())


def settled(ec2: FakeEc2, parameters: dict[str, str]) -> dict[str, Any]:
    """Without what changes from run to run: numbers that moto throws dice for, and what hashes them."""
    if parameters["Action"] != "CreateFleet":
        parameters = {name: value for name, value in parameters.items() if name != "ClientToken"}  # botocore's own
    boot = parameters.get("LaunchTemplateData.UserData")
    lines = {"LaunchTemplateData.UserData": base64.b64decode(boot).decode().splitlines()} if boot else {}
    text = json.dumps(parameters | lines)
    for place, number in enumerate((ec2.image, *ec2.subnets)):
        text = text.replace(number, f"number-{place}")
    return json.loads(re.sub(r"(outfield-[0-9a-f]{12}-)[0-9a-f]{24}", r"\1CONTENT", text))


def test_instances_and_their_volumes_carry_the_tags(desk: Ec2Desk, client: Any) -> None:
    order = desk.order()
    numbers = [i.id for i in desk.backend(labels={"cost-centre": "shots"}).launch(order)]
    wanted = {LABEL_FARM: desk.farm, LABEL_POOL: "burst", LABEL_INTENT: order.intent}
    wanted |= {"outfield-job": "00007", "cost-centre": "shots"}

    assert [tags_of(instance) for instance in described(client, numbers)] == [wanted, wanted]
    sent = desk.ec2.sent("CreateFleet")[0]
    kinds = [sent[f"TagSpecification.{n}.ResourceType"] for n in (1, 2, 3, 4)]
    assert kinds == ["fleet", "instance", "volume", "network-interface"]


def test_an_instance_is_locked_down(desk: Ec2Desk) -> None:
    (one,) = desk.backend(instance_profile="arn:aws:iam::1:instance-profile/worker").launch(desk.order(1))
    template = desk.ec2.template_of(one.id)

    assert (
        template["MetadataOptions"] | {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
        == (template["MetadataOptions"])
    )
    (interface,) = template["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is False
    assert template["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert template["IamInstanceProfile"] == {"Arn": "arn:aws:iam::1:instance-profile/worker"}
    assert template["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_a_public_address_is_given_only_where_the_pool_says_so(desk: Ec2Desk) -> None:
    (one,) = desk.backend(public_address=True).launch(desk.order(1))
    (interface,) = desk.ec2.template_of(one.id)["NetworkInterfaces"]

    assert interface["AssociatePublicIpAddress"] is True


def test_an_instance_boots_with_its_time_limit_and_the_very_script(desk: Ec2Desk) -> None:
    (one,) = desk.backend().launch(desk.order(1))

    assert desk.ec2.start_up(one.id) == with_identity(START_UP, OWN_NUMBER)
    assert "+ 3600))" in desk.ec2.life_limit(one.id)
    assert desk.ec2.alive()[one.id] == desk.ec2.start_up(one.id)


def test_an_instance_that_powers_itself_off_is_gone_for_good(desk: Ec2Desk) -> None:
    backend = desk.backend()
    (one,) = backend.launch(desk.order(1))

    assert desk.ec2.shut_down(one.id) == "terminated"
    assert one.id not in desk.ec2.alive()
    assert list(backend.events()) == []


@pytest.mark.parametrize("market", ["spot", "on_demand"])
def test_what_the_plan_said_is_launched(desk: Ec2Desk, market: str) -> None:
    backend = desk.backend(market=market)
    plan = backend.plan(2)
    started = backend.launch(desk.order(plan.count))
    sent = desk.ec2.sent("CreateFleet")[0]

    assert len(started) == plan.count == 2
    assert sent["TargetCapacitySpecification.DefaultTargetCapacityType"] == market.replace("_", "-")
    asked = {value for name, value in sent.items() if re.search(r"Overrides\.\d+\.(InstanceType|SubnetId)$", name)}
    chosen = plan.lines[1]
    assert asked == {word for word in re.findall(r"[\w.-]+", chosen) if word in asked}
    assert {part.split(" in ")[0] for part in chosen.removeprefix("chosen from: ").split(", ")} == {
        "c7i.2xlarge",
        "c6i.2xlarge",
    }
    assert plan.usd_per_hour == pytest.approx(2 * 0.14)
    assert "at most 0.28 USD/h together" in plan.lines[2] and "no public address" in plan.lines[4]


def test_a_taken_template_stays_below_ours(desk: Ec2Desk, client: Any) -> None:
    theirs = {
        "ImageId": desk.ec2.image,
        "InstanceType": "t3.micro",
        "Monitoring": {"Enabled": True},
        "MetadataOptions": {"HttpTokens": "optional"},
        "InstanceMarketOptions": {"MarketType": "spot"},
        "DisableApiTermination": True,
        "SecurityGroupIds": ["sg-0f0f0f0f"],
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 500, "DeleteOnTermination": False}}],
    }
    client.create_launch_template(LaunchTemplateName=f"studio-{desk.farm}", LaunchTemplateData=theirs)
    backend = desk.backend(image=None, launch_template=f"studio-{desk.farm}")
    (one,) = backend.launch(desk.order(1))
    made = desk.ec2.template_of(one.id)

    assert made["ImageId"] == desk.ec2.image and made["Monitoring"] == {"Enabled": True}
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert not made.keys() & {"InstanceMarketOptions", "SecurityGroupIds", "DisableApiTermination"}
    assert made["NetworkInterfaces"][0]["Groups"] == ["sg-0f0f0f0f"]
    disks = {disk["DeviceName"]: disk["Ebs"] for disk in made["BlockDeviceMappings"]}
    assert disks["/dev/sda1"]["VolumeSize"] == 60
    assert disks["/dev/sdf"]["DeleteOnTermination"] is True, "no disk outlives its instance"


def test_the_image_can_be_a_parameter(desk: Ec2Desk) -> None:
    ssm = boto3.client("ssm", endpoint_url=desk.ec2.url, region_name=desk.ec2.region)
    ssm.put_parameter(Name=f"/studio/{desk.farm}", Value=desk.ec2.image, Type="String")
    (one,) = desk.backend(image=f"resolve:ssm:/studio/{desk.farm}").launch(desk.order(1))

    assert desk.ec2.template_of(one.id)["ImageId"] == desk.ec2.image


def test_what_ec2_describes_beyond_what_it_takes_is_left_out(desk: Ec2Desk) -> None:
    connection = desk.backend()._ec2
    told = {"ImageId": "ami-1", "New": 1, "Placement": {"Tenancy": "default", "New": 2}, "SecurityGroupIds": ["sg-1"]}

    assert accepted(told, connection.template_shape) == {
        "ImageId": "ami-1",
        "Placement": {"Tenancy": "default"},
        "SecurityGroupIds": ["sg-1"],
    }


def test_a_template_is_deleted_when_its_fleet_is_started(desk: Ec2Desk, client: Any) -> None:
    backend = desk.backend()
    backend.launch(desk.order())
    names = [t["LaunchTemplateName"] for t in client.describe_launch_templates()["LaunchTemplates"]]

    assert [name for name in names if name == desk.ec2.sent("CreateLaunchTemplate")[0]["LaunchTemplateName"]] == []


def test_the_same_content_has_the_same_name_whatever_is_launched_when(desk: Ec2Desk) -> None:
    order = desk.order()
    desk.backend().launch(order)
    desk.ec2.templates.clear()
    again = desk.backend()
    again._launched_before = lambda order: []  # as if EC2 did not show the instances yet
    again.launch(order)
    first, second = desk.ec2.sent("CreateFleet")

    assert first == second, "EC2 takes a token twice only with the same parameters"


def test_a_long_script_is_compressed_and_user_data_stays_within_16_kib() -> None:
    script = "#!/bin/sh\n" + "echo a line that repeats itself\n" * 2000
    pool = AwsPool(region="us-east-1")

    boot = user_data(script, 60.0)
    data = template_data(pool, {}, image="ami-00000000", root_device="/dev/xvda", boot=boot)

    assert len(base64.b64decode(data["UserData"])) <= 16 * 1024 < len(script)
