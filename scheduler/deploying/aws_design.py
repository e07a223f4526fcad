"""What a farm needs at Amazon: a network that nobody can enter, roles that may do little, a bucket, a template. Pure.

Addresses are private. What leaves goes through one NAT gateway, which is also what costs most while nothing happens;
without it (`nat` false) instances reach only what is inside: a scheduler there, S3, or the studio through a VPN of its
own. Prices are Amazon's list prices of us-east-1 as of 2025; another region's are said with --price.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.deploying.design import LABEL, Design, Piece, priced
from scheduler.deploying.scheduler_script import SchedulerBoot, scheduler_script

NETWORK, PUBLIC, PRIVATE = "10.77.0.0/16", "10.77.255.0/24", ("10.77.0.0/20", "10.77.16.0/20")
PORT = 8000
USD_PER_HOUR: Mapping[str, float] = {"address": 0.005, "nat-gateway": 0.045, "scheduler": 0.0416 + 30 * 0.08 / 730}
"""us-east-1, 2025: an IPv4 address, a NAT gateway, a t3.medium with 30 GiB of gp3. Traffic comes on top."""

SCHEDULER_TYPE = "t3.medium"
SCHEDULER_IMAGE = "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"

ORDER = (
    *("vpc", "internet-gateway", "subnet-public", "subnet-a", "subnet-b", "address", "nat-gateway"),
    *("routes-public", "routes-private", "s3-endpoint", "security-group", "security-group-scheduler", "bucket"),
    *("worker-role", "worker-profile", "scheduler-policy", "scheduler-role", "scheduler-profile"),
    *("launch-template", "scheduler"),
)
"""Every piece that any design has, in the order in which they are made."""


@dataclass(frozen=True)
class AwsChoices:
    """What the admin chooses. `zones` are two availability zones of the region; `account` is the account's number."""

    farm: str
    region: str
    account: str
    zones: tuple[str, str]
    nat: bool = True
    start_scheduler: bool = False
    package: str = "outfield"
    index: str = ""
    prices: Mapping[str, float] = field(default_factory=dict[str, float])


def aws_design(choices: AwsChoices) -> Design:
    """All pieces, with what each costs."""
    pieces = [*_network(choices), *_storage(choices), *_rights(choices)]
    if choices.start_scheduler:
        pieces += _scheduler(choices)
    pieces.sort(key=lambda piece: ORDER.index(piece.name))
    return Design("aws", choices.farm, choices.region, tuple(pieces), _notes(choices))


def bucket_name(farm: str, account: str) -> str:
    """Buckets are named for the whole world, so the account's number is part of it."""
    return f"outfield-{farm}-{account}"


def _network(choices: AwsChoices) -> list[Piece]:
    price = lambda name: priced(USD_PER_HOUR, choices.prices, name)  # noqa: E731 - read five lines on
    zone_a, zone_b = choices.zones
    pieces = [
        Piece("vpc", f"network {NETWORK}", spec={"cidr": NETWORK}),
        Piece("subnet-a", f"workers in {zone_a}", ("vpc",), spec={"cidr": PRIVATE[0], "zone": zone_a}),
        Piece("subnet-b", f"workers in {zone_b}", ("vpc",), spec={"cidr": PRIVATE[1], "zone": zone_b}),
        Piece(
            "routes-private",
            "the way out of the workers' subnets" if choices.nat else "no way out of the workers' subnets",
            ("vpc", "subnet-a", "subnet-b", *(("nat-gateway",) if choices.nat else ())),
            spec={"subnets": ("subnet-a", "subnet-b"), "via": "nat-gateway" if choices.nat else ""},
        ),
        Piece("s3-endpoint", "S3 without leaving Amazon's network", ("vpc", "routes-private")),
        Piece("security-group", "workers: nobody may connect to them", ("vpc",), spec={"inbound": ()}),
        Piece(
            "launch-template",
            "workers: IMDSv2 with hop limit 1, encrypted disk, no public address, terminated when they shut down",
            ("security-group", "worker-profile"),
        ),
    ]
    if choices.nat:
        pieces += [
            Piece("internet-gateway", "for the NAT gateway alone", ("vpc",)),
            Piece("subnet-public", "holds the NAT gateway alone", ("vpc",), spec={"cidr": PUBLIC, "zone": zone_a}),
            Piece("address", "public address of the NAT gateway", usd_per_hour=price("address")),
            Piece(
                "nat-gateway", "outbound connections of workers", ("subnet-public", "address", "internet-gateway"),
                price("nat-gateway"),
            ),
            Piece(
                "routes-public", "the NAT gateway's way out", ("vpc", "subnet-public", "internet-gateway"),
                spec={"subnets": ("subnet-public",), "via": "internet-gateway"},
            ),
        ]  # fmt: skip
    return pieces


def _storage(choices: AwsChoices) -> list[Piece]:
    name = bucket_name(choices.farm, choices.account)
    return [
        Piece("bucket", f"{name}: private, encrypted, unfinished uploads removed after 7 days", spec={"name": name})
    ]


def _rights(choices: AwsChoices) -> list[Piece]:
    policy = json.dumps(scheduler_policy(choices))
    return [
        Piece("worker-role", "workers: may do nothing at Amazon; they get signed addresses", spec={"policy": ""}),
        Piece("worker-profile", "gives workers that role", ("worker-role",), spec={"role": "worker-role"}),
        Piece("scheduler-policy", "what the scheduler may do", ("worker-role", "bucket"), spec={"document": policy}),
    ]


def _scheduler(choices: AwsChoices) -> list[Piece]:
    script = scheduler_script(SchedulerBoot(choices.farm, choices.package, choices.index, PORT))
    return [
        Piece("scheduler-role", "the scheduler's", ("scheduler-policy",), spec={"policy": "scheduler-policy"}),
        Piece("scheduler-profile", "gives it to the instance", ("scheduler-role",), spec={"role": "scheduler-role"}),
        Piece(
            "security-group-scheduler", f"scheduler: port {PORT} from the network alone", ("vpc",),
            spec={"inbound": ((PORT, NETWORK),)},
        ),
        Piece(
            "scheduler", f"{SCHEDULER_TYPE} with 30 GiB, without a public address",
            ("subnet-a", "security-group-scheduler", "scheduler-profile", "routes-private"),
            priced(USD_PER_HOUR, choices.prices, "scheduler"),
            {"type": SCHEDULER_TYPE, "image": SCHEDULER_IMAGE, "script": script, "disk_gib": 30},
        ),
    ]  # fmt: skip


def scheduler_policy(choices: AwsChoices) -> dict[str, Any]:
    """What a scheduler needs to launch, list and end instances and to keep blobs; nothing beyond, and nobody else's.

    Calls that name no resource (Describe…, CreateFleet) cannot be narrowed; ending and passing roles are.
    """
    bucket = f"arn:aws:s3:::{bucket_name(choices.farm, choices.account)}"
    role = f"arn:aws:iam::{choices.account}:role/outfield/{resource_name(choices.farm, 'worker-role')}"
    launching = ["CreateFleet", "RunInstances", "CreateLaunchTemplate", "CreateLaunchTemplateVersion", "CreateTags"]
    looking = ["DescribeInstances", "DescribeLaunchTemplates", "DescribeLaunchTemplateVersions", "DescribeFleets"]
    looking += ["DescribeFleetInstances", "DescribeSpotPriceHistory", "DescribeInstanceTypes", "DescribeSubnets"]
    looking += ["DescribeImages", "DescribeSpotInstanceRequests"]
    ours = {"StringLike": {"aws:ResourceTag/outfield-farm": "*"}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": [f"ec2:{name}" for name in (*launching, *looking)], "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
                "Resource": "*",
                "Condition": ours,
            },
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role},
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
                "Resource": bucket,
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
                "Resource": f"{bucket}/*",
            },
        ],
    }


def resource_name(farm: str, piece: str) -> str:
    """The name of a piece where the provider wants one."""
    return f"outfield-{farm}-{piece}"


def _notes(choices: AwsChoices) -> tuple[str, ...]:
    out = (
        "Workers reach the internet through the NAT gateway; nobody reaches them."
        if choices.nat
        else "Workers reach nothing outside: the studio needs a VPN into this network, and their image the agent."
    )
    return (
        out,
        f"All of it carries the tag {LABEL}={choices.farm}; `outfield teardown aws` removes what carries it.",
        "Costs of traffic, of stored gigabytes and of workers come on top.",
    )
