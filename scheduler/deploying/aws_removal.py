"""Takes pieces of a farm out of EC2, each by the kind that its id tells. What has gone already is no error."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from scheduler.deploying.aws_looking import ended
from scheduler.deploying.aws_words import gone
from scheduler.errors import Conflict, Unavailable

TRIES_MAX = 60


class Removal:
    """Made by `AwsHands`. `pause_s` lies between two looks at something that takes its time to end."""

    def __init__(self, ec2: Any, pause_s: float) -> None:
        self._ec2, self._pause_s = ec2, pause_s
        self._patience = {"Delay": pause_s, "MaxAttempts": TRIES_MAX}
        self._by_kind: Mapping[str, Callable[[str], object]] = {
            "i": self._instance,
            "lt": lambda each: ec2.delete_launch_template(LaunchTemplateId=each),
            "sg": lambda each: ec2.delete_security_group(GroupId=each),
            "vpce": self._endpoint,
            "rtb": self._routes,
            "nat": self._nat_gateway,
            "eipalloc": lambda each: ec2.release_address(AllocationId=each),
            "subnet": lambda each: ec2.delete_subnet(SubnetId=each),
            "igw": self._internet_gateway,
            "vpc": lambda each: ec2.delete_vpc(VpcId=each),
        }

    def remove(self, each: str) -> None:
        """Remove one thing, and come back when it is gone.

        Raises:
            Conflict: nothing here makes such a thing. Unavailable: it is still there after minutes.
        """
        remove = self._by_kind.get(each.rpartition("-")[0])
        if remove is None:
            raise Conflict(f"{each} carries the tag of this deployment, but nothing here makes such a thing.")
        try:
            remove(each)
        except Exception as error:
            if not gone(error):
                raise

    def _instance(self, each: str) -> None:
        self._ec2.terminate_instances(InstanceIds=[each])
        self._ec2.get_waiter("instance_terminated").wait(InstanceIds=[each], WaiterConfig=self._patience)

    def _endpoint(self, each: str) -> None:
        self._ec2.delete_vpc_endpoints(VpcEndpointIds=[each])
        self._until(lambda: each in ended(self._ec2, [each]))

    def _routes(self, each: str) -> None:
        (table,) = self._ec2.describe_route_tables(RouteTableIds=[each])["RouteTables"]
        for link in table["Associations"]:
            self._ec2.disassociate_route_table(AssociationId=link["RouteTableAssociationId"])
        self._ec2.delete_route_table(RouteTableId=each)

    def _nat_gateway(self, each: str) -> None:
        self._ec2.delete_nat_gateway(NatGatewayId=each)
        self._ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[each], WaiterConfig=self._patience)

    def _internet_gateway(self, each: str) -> None:
        (gateway,) = self._ec2.describe_internet_gateways(InternetGatewayIds=[each])["InternetGateways"]
        for link in gateway["Attachments"]:
            self._ec2.detach_internet_gateway(InternetGatewayId=each, VpcId=link["VpcId"])
        self._ec2.delete_internet_gateway(InternetGatewayId=each)

    def _until(self, over: Callable[[], bool]) -> None:
        for _ in range(TRIES_MAX):
            if over():
                return
            time.sleep(self._pause_s)
        raise Unavailable("Amazon is still at it after minutes.", hint="Give the same command again in a while.")
