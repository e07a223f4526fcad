"""Amazon's hands against moto: made whole, found again, gone on with after any failure, removed without a trace."""

from __future__ import annotations

import base64
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from fake_amazon import REGION, amazon

from scheduler.deploying.aws import AwsHands, Ids
from scheduler.deploying.aws_design import ORDER, AwsChoices, aws_design
from scheduler.deploying.design import Change, Design, to_make, to_remove
from scheduler.deploying.hands import make_all, remove_all
from scheduler.errors import Denied, Refused

ACCOUNT = "123456789012"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with amazon() as url:
        yield url


@pytest.fixture
def farm() -> str:
    """A farm of one's own: all tests share one account, as real farms may."""
    return f"farm{next(_numbers)}"


@pytest.fixture
def hands(url: str, farm: str) -> AwsHands:
    return AwsHands(farm, REGION, endpoint=url)


@functools.cache
def client(url: str, service: str) -> Any:
    return boto3.client(service, region_name=REGION, endpoint_url=url)


def design(farm: str, **choices: Any) -> Design:
    return aws_design(AwsChoices(farm, REGION, ACCOUNT, (f"{REGION}a", f"{REGION}b"), **choices))


def silent(_change: Change) -> None: ...


def networks(url: str, farm: str) -> list[str]:
    ours = [{"Name": "tag:outfield-deploy", "Values": [farm]}]
    return [vpc["VpcId"] for vpc in client(url, "ec2").describe_vpcs(Filters=ours)["Vpcs"]]


@pytest.fixture(scope="module")
def made(url: str) -> Ids:
    """A whole deployment to look at."""
    hands = AwsHands("looked-at", REGION, endpoint=url)
    return make_all(design("looked-at", start_scheduler=True, package="outfield==0.1.0"), hands, silent)


def test_the_account_and_its_zones_are_asked_for(hands: AwsHands) -> None:
    assert hands.account() == ACCOUNT
    assert hands.zones() == (f"{REGION}a", f"{REGION}b")


def test_everything_is_made_found_and_removed(hands: AwsHands, farm: str, url: str) -> None:
    plan = design(farm, start_scheduler=True)
    said: list[Change] = []
    ids = make_all(plan, hands, said.append)

    assert [change.piece for change in said] == [piece.name for piece in plan.pieces]
    assert {found.piece: found.id for found in hands.find()} == ids
    assert {change.action for change in to_make(plan, hands.find())} == {"there"}
    again: list[Change] = []
    assert make_all(plan, hands, again.append) == ids
    assert again == []

    remove_all(to_remove(ORDER, hands.find()), hands, silent)
    assert hands.find() == []
    assert networks(url, farm) == []
    assert not [b for b in client(url, "s3").list_buckets()["Buckets"] if b["Name"] == ids["bucket"]]
    roles = client(url, "iam").list_roles(PathPrefix="/outfield/")["Roles"]
    assert not [role for role in roles if role["RoleName"].startswith(f"outfield-{farm}-")]


def test_nobody_can_enter_and_nothing_is_public(made: Ids, url: str) -> None:
    ids = made
    ec2 = client(url, "ec2")
    groups = ec2.describe_security_groups(GroupIds=[ids["security-group"], ids["security-group-scheduler"]])
    sources = {
        group["GroupId"]: [r["CidrIp"] for rule in group["IpPermissions"] for r in rule["IpRanges"]]
        for group in groups["SecurityGroups"]
    }
    assert sources == {ids["security-group"]: [], ids["security-group-scheduler"]: ["10.77.0.0/16"]}
    subnets = ec2.describe_subnets(SubnetIds=[ids["subnet-a"], ids["subnet-b"], ids["subnet-public"]])["Subnets"]
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    template = ec2.describe_launch_template_versions(LaunchTemplateId=ids["launch-template"])
    data = template["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["MetadataOptions"] == {
        "HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled",
    }  # fmt: skip
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False
    block = client(url, "s3").get_public_access_block(Bucket=ids["bucket"])["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    iam = client(url, "iam")
    assert iam.list_attached_role_policies(RoleName=ids["worker-role"])["AttachedPolicies"] == []
    (attached,) = iam.list_attached_role_policies(RoleName=ids["scheduler-role"])["AttachedPolicies"]
    assert attached["PolicyArn"] == ids["scheduler-policy"]


def test_workers_leave_through_the_nat_gateway_alone(made: Ids, url: str) -> None:
    ids = made
    (table,) = client(url, "ec2").describe_route_tables(RouteTableIds=[ids["routes-private"]])["RouteTables"]
    ways = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    assert [way.get("NatGatewayId") for way in ways] == [ids["nat-gateway"]]
    assert {link["SubnetId"] for link in table["Associations"] if "SubnetId" in link} == {
        ids["subnet-a"], ids["subnet-b"],
    }  # fmt: skip


def test_the_schedulers_instance_runs_its_script(made: Ids, url: str) -> None:
    ids = made
    ec2 = client(url, "ec2")
    (lot,) = ec2.describe_instances(InstanceIds=[ids["scheduler"]])["Reservations"]
    (instance,) = lot["Instances"]
    assert "PublicIpAddress" not in instance or not instance["PublicIpAddress"]
    attribute = ec2.describe_instance_attribute(InstanceId=ids["scheduler"], Attribute="userData")
    script = base64.b64decode(attribute["UserData"]["Value"]).decode()
    assert "package='outfield==0.1.0'" in script and "outfield-scheduler.service" in script


@pytest.mark.parametrize("calls", [3, 17, 33])
def test_it_goes_on_wherever_it_was_cut_off(hands: AwsHands, farm: str, url: str, calls: int) -> None:
    """The power goes after so many calls that change something; the same command then makes the rest, once."""
    plan = design(farm, start_scheduler=True)
    left = [calls]

    def cut(**_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    changing = ("Create", "Put", "Attach", "Modify", "Allocate", "Authorize", "Associate", "Run", "Add", "Tag")
    for service in (hands._ec2, hands._rights._iam, hands._bucket._s3):
        for name in service.meta.service_model.operation_names:
            if name.startswith(changing):
                service.meta.events.register(f"before-call.{service.meta.service_model.service_name}.{name}", cut)
    with pytest.raises(KeyboardInterrupt):
        make_all(plan, hands, silent)

    other = AwsHands(farm, REGION, endpoint=url)
    ids = make_all(plan, other, silent)
    assert {found.piece: found.id for found in other.find()} == ids
    ec2 = client(url, "ec2")
    assert networks(url, farm) == [ids["vpc"]]
    (table,) = ec2.describe_route_tables(RouteTableIds=[ids["routes-private"]])["RouteTables"]
    assert len([link for link in table["Associations"] if "SubnetId" in link]) == 2
    remove_all(to_remove(ORDER, other.find()), other, silent)
    assert other.find() == []


def test_a_bucket_that_holds_something_is_kept(hands: AwsHands, farm: str, url: str) -> None:
    ids = make_all(design(farm, nat=False), hands, silent)
    s3 = client(url, "s3")
    s3.put_object(Bucket=ids["bucket"], Key="frames/0001.exr", Body=b"pixels")
    changes = to_remove(ORDER, hands.find())
    assert [change.piece for change in changes if change.action == "keep"] == ["bucket"]
    remove_all(changes, hands, silent)
    assert s3.get_object(Bucket=ids["bucket"], Key="frames/0001.exr")["Body"].read() == b"pixels"
    assert [found.piece for found in hands.find()] == ["bucket"]


def test_a_network_with_machines_in_it_is_kept(hands: AwsHands, farm: str, url: str) -> None:
    ids = make_all(design(farm, nat=False), hands, silent)
    ec2 = client(url, "ec2")
    ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=ids["subnet-a"])
    kept = [change for change in to_remove(ORDER, hands.find()) if change.action == "keep"]
    assert [change.piece for change in kept] == ["vpc"]
    assert "1 instances" in kept[0].words


def test_another_farms_pieces_are_not_touched(hands: AwsHands, made: Ids, url: str) -> None:
    assert hands.find() == []
    theirs = AwsHands("looked-at", REGION, endpoint=url)
    assert {found.piece: found.id for found in theirs.find()} == made


def test_a_refusal_is_said_in_words(hands: AwsHands, farm: str) -> None:
    from botocore.awsrequest import AWSResponse

    class Raw:
        def __init__(self, text: str) -> None:
            self.text = text.encode()

        def stream(self, **_: Any) -> Iterator[bytes]:
            yield self.text

    def answer(code: str) -> Any:
        body = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
        return lambda **_: AWSResponse("http://x", 403, {}, Raw(body))

    for code, kind in {"UnauthorizedOperation": Denied, "VpcLimitExceeded": Refused}.items():
        hands._ec2.meta.events.register_first("before-send.ec2.CreateVpc", answer(code), unique_id=code)
        with pytest.raises(kind, match="Amazon refuses: no"):
            make_all(design(farm, nat=False), hands, silent)
        hands._ec2.meta.events.unregister("before-send.ec2.CreateVpc", unique_id=code)
