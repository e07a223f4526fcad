"""The how-to pages of the clouds: their settings load, and their permissions are those that the backends use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from ec2_pools import Ec2Desk
from fake_ec2 import FakeEc2
from fake_gce_http import ROUTES
from gce_pools import GceDesk

from scheduler.settings import load_settings

pytestmark = pytest.mark.gce_client

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
BLOCK = r"```{}\n(.*?)```"

BEHIND = {"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"}
"""What EC2 itself does in the caller's name when a fleet is created: no call of ours."""

NEEDS = {
    "bulk_insert": {
        "compute.disks.create",
        "compute.disks.setLabels",
        "compute.images.useReadOnly",
        "compute.instances.create",
        "compute.instances.setLabels",
        "compute.instances.setMetadata",
        "compute.instances.setServiceAccount",
        "compute.instances.setTags",
        "compute.networks.use",
        "compute.subnetworks.use",
    },
    "delete": {"compute.instances.delete"},
    "list": {"compute.instances.list"},
    "operation": {"compute.zoneOperations.get"},
    "operations": {"compute.zoneOperations.list"},
    "machine_type": {"compute.machineTypes.get"},
    "template": {"compute.instanceTemplates.get"},
}
"""Route → permissions: https://cloud.google.com/compute/docs/reference/rest/v1/instances/bulkInsert#iam-permissions"""


def found(page: str, kind: str) -> list[str]:
    return re.findall(BLOCK.format(kind), (HOWTO / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", ["burst-to-aws.md", "burst-to-gce.md"])
def test_the_settings_of_the_page_load(page: str, tmp_path: Path) -> None:
    (text,) = found(page, "toml")
    file = tmp_path / "outfield.toml"
    file.write_text(text)
    (name,) = load_settings(file=file, environment={}).settings.pools.keys() - {"onprem"}

    assert page == f"burst-to-{name}.md"


def test_the_policy_allows_every_call_and_nothing_else(ec2: FakeEc2) -> None:
    (text,) = found("burst-to-aws.md", "json")
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    actions = [s["Action"] if isinstance(s["Action"], list) else [s["Action"]] for s in statements]
    allowed = [action for some in actions for action in some]

    assert len(set(allowed)) == len(allowed)
    assert set(allowed) == called(ec2) | BEHIND


def called(ec2: FakeEc2) -> set[str]:
    """The actions of a backend that does all it can."""
    desk = Ec2Desk(ec2)
    clients = {name: boto3.client(name, endpoint_url=ec2.url, region_name=ec2.region) for name in ("ec2", "ssm")}
    clients["ssm"].put_parameter(Name=f"/{desk.farm}", Value=ec2.image, Type="String")
    data = {"InstanceType": "c7i.2xlarge"}
    clients["ec2"].create_launch_template(LaunchTemplateName=f"studio-{desk.farm}", LaunchTemplateData=data)
    ec2.requests.clear()
    backend = desk.backend(
        image=f"resolve:ssm:/{desk.farm}", launch_template=f"studio-{desk.farm}", price_usd_per_hour=0
    )
    backend.plan(1)
    (one,) = backend.launch(desk.order(1))
    backend.list()
    backend.events()
    backend.terminate([one.id])
    names = {action for action, _parameters in ec2.requests}
    return {"ssm:GetParameter" if name == "AmazonSSM.GetParameter" else f"ec2:{name}" for name in names}


def test_the_role_allows_every_call_and_nothing_else(desk: GceDesk) -> None:
    text = (HOWTO / "burst-to-gce.md").read_text().partition("--permissions=\\\n")[2].partition("\ngcloud")[0]
    desk.gce.project.templates["worker"] = {"machineType": "n2-standard-8"}
    backend = desk.backend(instance_template="worker")
    backend.plan(1)
    (one,) = backend.launch(desk.order(1))
    backend.events()
    backend.terminate([one.id])
    routes = {seen.call for seen in desk.gce.requests}

    assert routes == set(ROUTES) == set(NEEDS)
    assert set(re.findall(r"compute\.[\w.]+", text)) == set().union(*NEEDS.values())
