"""Instances as EC2 describes them, in the port's words: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from scheduler.backends.base import LABEL_INTENT, Instance, InstanceState, Notice, NoticeKind

STATES = {
    "pending": InstanceState.STARTING,
    "running": InstanceState.RUNNING,
    "shutting-down": InstanceState.STOPPING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPING,
    "terminated": InstanceState.GONE,
}
"""A stopped instance still pays for its disk, so it is on its way out and not gone."""

PREEMPTED = frozenset({"Server.SpotInstanceTermination", "Server.SpotInstanceShutdown"})
ORDINARY = frozenset(
    {"", "pending", "Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown", "Client.UserInitiatedHibernate"}
)
"""Reasons of an end that somebody on our side wanted."""
QUOTA = frozenset({"Client.VolumeLimitExceeded"})
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html"""


def read_instance(described: Mapping[str, Any]) -> Instance:
    """One instance of `DescribeInstances`."""
    tags = {tag["Key"]: tag["Value"] for tag in cast("list[dict[str, str]]", described.get("Tags") or [])}
    return Instance(
        id=str(described["InstanceId"]),
        intent=tags.get(LABEL_INTENT, ""),
        state=STATES.get(str(described["State"]["Name"]), InstanceState.STOPPING),
        launched_at_s=described["LaunchTime"].timestamp(),
        machine=str(described.get("InstanceType", "")),
        place=str((described.get("Placement") or {}).get("AvailabilityZone", "")),
        address=str(described.get("PrivateIpAddress", "")),
    )


def read_notice(described: Mapping[str, Any]) -> Notice | None:
    """Why an instance of `DescribeInstances` ended, where nobody on our side wanted it to."""
    reason = cast("dict[str, str]", described.get("StateReason") or {})
    code = reason.get("Code", "")
    instance = read_instance(described)
    if code in ORDINARY or instance.state in (InstanceState.STARTING, InstanceState.RUNNING):
        return None
    kind = NoticeKind.PREEMPTED if code in PREEMPTED else NoticeKind.QUOTA if code in QUOTA else NoticeKind.FAILED
    return Notice(kind, instance.intent, instance.id, reason.get("Message") or code)
