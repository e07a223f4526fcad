"""Instances and operations as the Compute API tells of them, in the port's words: pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scheduler.backends.base import LABEL_INTENT, Instance, InstanceState, Notice, NoticeKind
from scheduler.backends.gce.naming import instance_id, last

STATES = {
    "PENDING": InstanceState.STARTING,
    "PROVISIONING": InstanceState.STARTING,
    "STAGING": InstanceState.STARTING,
    "RUNNING": InstanceState.RUNNING,
    "REPAIRING": InstanceState.RUNNING,
}
"""All others are on their way out: also one that has stopped and still pays for its disk."""

STOPPED = frozenset({"TERMINATED", "STOPPED", "SUSPENDED"})
"""Where an instance rests; Google Cloud would leave it there for ever."""

NEWS = {
    "compute.instances.preempted": NoticeKind.PREEMPTED,
    "compute.instances.hostError": NoticeKind.FAILED,
    "compute.instances.terminateOnHostMaintenance": NoticeKind.FAILED,
}
"""Operations that Google Cloud starts by itself: https://cloud.google.com/compute/docs/logging/audit-logging"""
NEWS_FILTER = " OR ".join(f'(operationType = "{kind}")' for kind in NEWS)


def read_instance(told: Any) -> Instance:
    """One instance of the API's. The exact intent stands in the metadata, since labels take fewer characters."""
    exact = {item.key: item.value for item in told.metadata.items}
    interfaces = list(told.network_interfaces)
    zone = last(told.zone)
    return Instance(
        id=instance_id(zone, told.name),
        intent=exact.get(LABEL_INTENT) or dict(told.labels).get(LABEL_INTENT, ""),
        state=STATES.get(told.status, InstanceState.STOPPING),
        launched_at_s=datetime.fromisoformat(told.creation_timestamp).timestamp(),
        machine=last(told.machine_type),
        place=zone,
        address=interfaces[0].network_i_p if interfaces else "",
    )


def has_stopped(told: Any) -> bool:
    """Whether an instance rests, and has to be deleted by whoever wants to stop paying for its disk."""
    return told.status in STOPPED


def read_news(operation: Any) -> tuple[str, Notice]:
    """When an operation began, as the API writes it, and what it says of an instance; whose it was stays open."""
    zone = last(operation.zone)
    kind = NEWS.get(operation.operation_type, NoticeKind.FAILED)
    message = operation.status_message or operation.operation_type
    return operation.insert_time, Notice(kind, "", instance_id(zone, last(operation.target_link)), message)
