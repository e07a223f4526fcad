"""What of a farm's pieces is at EC2: found by tag, without those that have ended and only their tags are left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scheduler.deploying.aws_words import gone, told
from scheduler.deploying.design import LABEL, LABEL_PIECE, Found

ALIVE = ("pending", "running", "stopping", "stopped")
OVER = frozenset({"deleted", "deleting", "failed"})


def found_in_network(ec2: Any, farm: str) -> list[Found]:
    """Everything that carries the farm's tag; what has no piece's name yet was never finished."""
    pages = ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "key", "Values": [LABEL, LABEL_PIECE]}])
    tags: dict[str, dict[str, str]] = {}
    for page in pages:
        for tag in page["Tags"]:
            tags.setdefault(tag["ResourceId"], {})[tag["Key"]] = tag["Value"]
    mine = {each: said.get(LABEL_PIECE, "") for each, said in tags.items() if said.get(LABEL) == farm}
    over = ended(ec2, mine)
    return [Found(piece, each, _why_kept(ec2, farm, each)) for each, piece in mine.items() if each not in over]


def ended(ec2: Any, ids: Iterable[str]) -> set[str]:
    """Those that are no more: tags of what was removed may stay for an hour or so."""
    return {each for each in ids if not _is_there(ec2, each)}


def _is_there(ec2: Any, each: str) -> bool:
    prefix = each.rpartition("-")[0]
    if prefix == "i":
        return bool(instances(ec2, "instance-id", [each]))
    if prefix not in _ASKED:
        return True  # nothing that we make; `aws_removal` says so
    call, argument, key = _ASKED[prefix]
    try:
        found = getattr(ec2, call)(**{argument: [each]})[key]
    except Exception as error:
        if gone(error):
            return False
        raise
    return any(one.get("State", "available").lower() not in OVER for one in found)


_ASKED: Mapping[str, tuple[str, str, str]] = {
    "vpc": ("describe_vpcs", "VpcIds", "Vpcs"),
    "igw": ("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
    "subnet": ("describe_subnets", "SubnetIds", "Subnets"),
    "eipalloc": ("describe_addresses", "AllocationIds", "Addresses"),
    "nat": ("describe_nat_gateways", "NatGatewayIds", "NatGateways"),
    "rtb": ("describe_route_tables", "RouteTableIds", "RouteTables"),
    "vpce": ("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
    "sg": ("describe_security_groups", "GroupIds", "SecurityGroups"),
    "lt": ("describe_launch_templates", "LaunchTemplateIds", "LaunchTemplates"),
}
"""By the beginning of an id: the call that asks for it, its argument, and where the answer is."""


def instances(ec2: Any, key: str, values: list[str]) -> list[dict[str, Any]]:
    """Instances that are not terminated."""
    if not values:
        return []
    filters = [{"Name": key, "Values": values}, {"Name": "instance-state-name", "Values": list(ALIVE)}]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
    return [each for page in pages for lot in page["Reservations"] for each in lot["Instances"]]


def _why_kept(ec2: Any, farm: str, each: str) -> str:
    """A network in which machines still run is not pulled from under them."""
    if not each.startswith("vpc-"):
        return ""
    others = [one for one in instances(ec2, "vpc-id", [each]) if told(one.get("Tags", [])) != farm]
    return f"{len(others)} instances that this command did not start still run in it" if others else ""
