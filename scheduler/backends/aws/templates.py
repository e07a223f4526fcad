"""The launch template of an order: what every one of its instances is. Pure.

Ours is laid over the studio's own where the pool names one. Its name holds a hash of its content: the same order makes
the same template under the same name, and so the same fleet request, which EC2's idempotency needs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from scheduler.settings import AwsPool

DEFAULT_IMAGE = "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
"""Ubuntu 24.04 for x86-64, as Canonical publishes it: https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/"""

METADATA = {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}
"""IMDSv2 only, and not through a container or a proxy on the instance."""

DROPPED = (
    "DisableApiStop",
    "DisableApiTermination",
    "HibernationOptions",
    "InstanceMarketOptions",
    "InstanceRequirements",
    "SecurityGroupIds",
    "SecurityGroups",
    "TagSpecifications",
)
"""Parts of a taken template that a fleet sets itself, or that would contradict what we lay over them."""

Data = dict[str, Any]


def template_data(settings: AwsPool, base: Mapping[str, Any], *, image: str, root_device: str, boot: bytes) -> Data:
    """`LaunchTemplateData` of the pool. `base` is the taken template's (empty: none), `boot` the user data."""
    kept = {name: value for name, value in base.items() if name not in DROPPED}
    data: Data = kept | {
        "ImageId": image,
        "UserData": base64.b64encode(boot).decode(),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": dict(base.get("MetadataOptions", {})) | METADATA,
        "BlockDeviceMappings": _disks(settings, base, root_device),
        "NetworkInterfaces": [_interface(settings, base)],
    }
    profile = settings.instance_profile
    if profile is not None:
        data["IamInstanceProfile"] = {"Arn" if profile.startswith("arn:") else "Name": profile}
    if settings.key_name is not None:
        data["KeyName"] = settings.key_name
    return data


def template_name(prefix: str, data: Mapping[str, Any]) -> str:
    """The name of a template with this content; EC2 allows 3 to 128 of letters, digits and `().-/_`."""
    content = json.dumps(data, sort_keys=True).encode()
    return f"{prefix}{hashlib.sha256(content).hexdigest()[:24]}"


def template_prefix(farm_id: str, pool: str) -> str:
    """What the names of all templates of one pool of one farm begin with."""
    owner = f"{farm_id}\n{pool}".encode()
    return f"outfield-{hashlib.sha256(owner).hexdigest()[:12]}-"


def accepted(given: Any, shape: Any) -> Any:
    """Of a template as EC2 describes it, what EC2 also takes: a description has some members more than a request.

    `shape` is botocore's shape of the request.
    """
    if shape.type_name == "structure":
        members = cast("Mapping[str, Any]", shape.members)
        return {name: accepted(value, members[name]) for name, value in given.items() if name in members}
    if shape.type_name == "list":
        return [accepted(value, shape.member) for value in given]
    return given


def _disks(settings: AwsPool, base: Mapping[str, Any], root_device: str) -> list[Data]:
    """The boot disk as the pool wants it, and further ones of a taken template; all go when the instance goes."""
    taken = cast("Iterable[Data]", base.get("BlockDeviceMappings", ()))
    mappings = {str(mapping.get("DeviceName", "")): mapping for mapping in taken}
    boot: Data = mappings.pop(root_device, {}).get("Ebs", {}) | {
        "VolumeSize": settings.disk_gib,
        "VolumeType": settings.disk_type,
        "Encrypted": settings.disk_encrypted,
    }
    disks: list[Data] = [{"DeviceName": root_device, "Ebs": boot}, *mappings.values()]
    return [disk | {"Ebs": disk["Ebs"] | {"DeleteOnTermination": True}} if "Ebs" in disk else disk for disk in disks]


def _interface(settings: AwsPool, base: Mapping[str, Any]) -> Data:
    """The one network interface; a taken template's security groups stay where the pool names none."""
    theirs = cast("list[Data]", base.get("NetworkInterfaces") or [{}])[0]
    groups = list(settings.security_groups) or theirs.get("Groups") or base.get("SecurityGroupIds")
    interface: Data = {
        "DeviceIndex": 0,
        "AssociatePublicIpAddress": settings.public_address,
        "DeleteOnTermination": True,
    }
    return interface | ({"Groups": list(groups)} if groups else {})
