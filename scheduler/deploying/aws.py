"""Amazon's hands: makes, finds and removes the pieces of `aws_design` with boto3, by tag. Decides nothing.

EC2 answers before things are usable; waiters wait where the next piece needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scheduler.deploying.aws_design import resource_name
from scheduler.deploying.aws_looking import found_in_network
from scheduler.deploying.aws_removal import Removal
from scheduler.deploying.aws_rights import Rights
from scheduler.deploying.aws_storage import Bucket
from scheduler.deploying.aws_words import explained
from scheduler.deploying.design import LABEL, LABEL_PIECE, Found, Piece

WAIT = {"Delay": 5, "MaxAttempts": 60}
"""Five minutes: a NAT gateway takes two."""

Ids = Mapping[str, str]


class AwsHands:
    """The pieces of one farm in one region. `endpoint` is for tests and private clouds."""

    def __init__(self, farm: str, region: str, *, profile: str | None = None, endpoint: str | None = None) -> None:
        import boto3

        session = boto3.Session(profile_name=profile, region_name=region)

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=endpoint)

        self._farm, self._ec2 = farm, client("ec2")
        self._rights = Rights(farm, client("iam"))
        self._bucket = Bucket(farm, region, client("s3"))
        self._sts = client("sts")
        self._removal = Removal(self._ec2, 0.0 if endpoint else WAIT["Delay"])
        self._makers: Mapping[str, Callable[[Piece, Ids], str]] = {
            "vpc": self._vpc,
            "internet-gateway": self._internet_gateway,
            **dict.fromkeys(("subnet-public", "subnet-a", "subnet-b"), self._subnet),
            "address": self._address,
            "nat-gateway": self._nat_gateway,
            **dict.fromkeys(("routes-public", "routes-private"), self._routes),
            "s3-endpoint": self._s3_endpoint,
            **dict.fromkeys(("security-group", "security-group-scheduler"), self._security_group),
            "launch-template": self._launch_template,
            "scheduler": self._scheduler,
        }

    @explained
    def account(self) -> str:
        """The account's number."""
        return str(self._sts.get_caller_identity()["Account"])

    @explained
    def zones(self) -> tuple[str, str]:
        """The first two availability zones of the region."""
        told_ = self._ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])
        names = sorted(zone["ZoneName"] for zone in told_["AvailabilityZones"])
        return names[0], names[-1] if len(names) == 1 else names[1]

    @explained
    def find(self) -> Sequence[Found]:
        """See `hands.Hands`."""
        found = [*found_in_network(self._ec2, self._farm), *self._rights.find()]
        bucket = self._bucket.find(self.account())
        return [*found, *([bucket] if bucket else [])]

    @explained
    def make(self, piece: Piece, ids: Ids) -> str:
        """See `hands.Hands`."""
        if piece.name == "bucket":
            return self._bucket.make(piece.spec["name"])
        if self._rights.makes(piece.name):
            return self._rights.make(piece, ids)
        made = self._makers[piece.name](piece, ids)
        self._ec2.create_tags(Resources=[made], Tags=[{"Key": LABEL_PIECE, "Value": piece.name}])
        return made

    @explained
    def remove(self, found: Found) -> None:
        """See `hands.Hands`."""
        if self._rights.makes(found.piece):
            self._rights.remove(found)
        elif found.piece == "bucket":
            self._bucket.remove(found.id)
        else:
            self._removal.remove(found.id)

    def _tagged(self, kind: str, piece: str) -> list[dict[str, Any]]:
        """The tags that a thing is born with. The piece's name comes last of all, when the piece is whole."""
        tags = {LABEL: self._farm, "Name": resource_name(self._farm, piece)}
        return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]

    def _vpc(self, piece: Piece, _ids: Ids) -> str:
        made = self._ec2.create_vpc(CidrBlock=piece.spec["cidr"], TagSpecifications=self._tagged("vpc", piece.name))
        vpc = str(made["Vpc"]["VpcId"])
        self._ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig=WAIT)
        self._ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        return vpc

    def _internet_gateway(self, piece: Piece, ids: Ids) -> str:
        made = self._ec2.create_internet_gateway(TagSpecifications=self._tagged("internet-gateway", piece.name))
        gateway = str(made["InternetGateway"]["InternetGatewayId"])
        self._ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=ids["vpc"])
        return gateway

    def _subnet(self, piece: Piece, ids: Ids) -> str:
        made = self._ec2.create_subnet(
            VpcId=ids["vpc"], CidrBlock=piece.spec["cidr"], AvailabilityZone=piece.spec["zone"],
            TagSpecifications=self._tagged("subnet", piece.name),
        )  # fmt: skip
        subnet = str(made["Subnet"]["SubnetId"])
        self._ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
        return subnet

    def _address(self, piece: Piece, _ids: Ids) -> str:
        tags = self._tagged("elastic-ip", piece.name)
        return str(self._ec2.allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"])

    def _nat_gateway(self, piece: Piece, ids: Ids) -> str:
        made = self._ec2.create_nat_gateway(
            SubnetId=ids["subnet-public"], AllocationId=ids["address"],
            TagSpecifications=self._tagged("natgateway", piece.name),
        )  # fmt: skip
        gateway = str(made["NatGateway"]["NatGatewayId"])
        self._ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[gateway], WaiterConfig=WAIT)
        return gateway

    def _routes(self, piece: Piece, ids: Ids) -> str:
        made = self._ec2.create_route_table(VpcId=ids["vpc"], TagSpecifications=self._tagged("route-table", piece.name))
        table = str(made["RouteTable"]["RouteTableId"])
        key = {"nat-gateway": "NatGatewayId", "internet-gateway": "GatewayId"}.get(piece.spec["via"])
        if key is not None:
            way = {key: ids[piece.spec["via"]]}
            self._ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **way)
        for subnet in piece.spec["subnets"]:
            self._ec2.associate_route_table(RouteTableId=table, SubnetId=ids[subnet])
        return table

    def _s3_endpoint(self, piece: Piece, ids: Ids) -> str:
        made = self._ec2.create_vpc_endpoint(
            VpcId=ids["vpc"], ServiceName=f"com.amazonaws.{self._ec2.meta.region_name}.s3", VpcEndpointType="Gateway",
            RouteTableIds=[ids["routes-private"]], TagSpecifications=self._tagged("vpc-endpoint", piece.name),
        )  # fmt: skip
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def _security_group(self, piece: Piece, ids: Ids) -> str:
        made = self._ec2.create_security_group(
            GroupName=resource_name(self._farm, piece.name), Description=piece.words.replace(":", "")[:255],
            VpcId=ids["vpc"], TagSpecifications=self._tagged("security-group", piece.name),
        )  # fmt: skip
        for port, source in piece.spec["inbound"]:
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}
            self._ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=[rule])
        return str(made["GroupId"])

    def _launch_template(self, piece: Piece, ids: Ids) -> str:
        data = {
            "NetworkInterfaces": [
                {"DeviceIndex": 0, "AssociatePublicIpAddress": False, "Groups": [ids["security-group"]]}
            ],
            "IamInstanceProfile": {"Name": ids["worker-profile"]},
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
            "InstanceInitiatedShutdownBehavior": "terminate",
        }
        made = self._ec2.create_launch_template(
            LaunchTemplateName=resource_name(self._farm, "worker"), LaunchTemplateData=data,
            TagSpecifications=self._tagged("launch-template", piece.name),
        )  # fmt: skip
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def _scheduler(self, piece: Piece, ids: Ids) -> str:
        spec = piece.spec
        disk = {"VolumeSize": spec["disk_gib"], "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
        made = self._ec2.run_instances(
            MinCount=1, MaxCount=1, InstanceType=spec["type"], ImageId=spec["image"], UserData=spec["script"],
            IamInstanceProfile={"Name": ids["scheduler-profile"]},
            NetworkInterfaces=[{
                "DeviceIndex": 0, "SubnetId": ids["subnet-a"], "AssociatePublicIpAddress": False,
                "Groups": [ids["security-group-scheduler"]],
            }],
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": disk}],
            TagSpecifications=self._tagged("instance", piece.name),
        )  # fmt: skip
        return str(made["Instances"][0]["InstanceId"])
