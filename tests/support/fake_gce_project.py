"""A project of the fake Compute Engine: its instances, operations, stock and quotas, on a clock that tests may own."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

BASE = "https://www.googleapis.com/compute/v1"
SHAPES: dict[str, tuple[int, int, int]] = {
    "c3-standard-8": (8, 32_768, 0),
    "c3d-standard-8": (8, 32_768, 0),
    "n2-standard-8": (8, 32_768, 0),
    "g2-standard-8": (8, 32_768, 1),
}
"""Machine type → vCPUs, MiB, GPUs."""

Body = dict[str, Any]
Telling = Literal["inserts", "bulk", "nothing"]
"""Where the reason of a shortfall stands: in the single inserts, in the bulk insert too, or nowhere."""


class Wrong(Exception):
    """A request that the API refuses at once."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status, self.reason, self.message = status, reason, message
        super().__init__(message)


@dataclass
class Machine:
    """One instance, as it was asked for, and what became of it."""

    zone: str
    name: str
    number: int
    body: Body
    created: datetime
    ended: datetime | None = None
    deleted: bool = False
    """Whether it goes away at its end, or rests and keeps its disk."""

    @property
    def scheduling(self) -> Body:
        """Its `scheduling`."""
        return self.body.get("scheduling", {})

    def metadata(self, key: str) -> str:
        """A value of its metadata."""
        return {item["key"]: item["value"] for item in self.body["metadata"]["items"]}[key]


@dataclass
class Operation:
    """Something that takes a while."""

    name: str
    number: int
    zone: str
    kind: str
    target: str
    began: datetime
    ends: datetime
    errors: list[Body] = field(default_factory=list)
    counts: Body | None = None
    group: str = field(default_factory=lambda: str(uuid.uuid4()))


class Project:
    """The state. Every method is called with `lock` held."""

    def __init__(self, name: str, now: Callable[[], datetime]) -> None:
        self.name, self.now = name, now
        self.lock = threading.RLock()
        self.machines: dict[tuple[str, str], Machine] = {}
        self.born: list[Machine] = []
        """Every instance that ever was."""
        self.operations: dict[str, Operation] = {}
        self.requests: dict[str, str] = {}
        self.templates: dict[str, Body] = {}
        self.stock: dict[str, int] = {}
        self.quotas: dict[str, int] = {}
        self.boot_s, self.operation_s, self.ending_s = 0.0, 0.0, 0.0
        self.telling: Telling = "inserts"
        self.quotas_late = False
        self._numbers = itertools.count(7_000_000_000_000_000_001)

    # ---- what happens by itself --------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let happen what was due by now: time limits, and the end of what is ending."""
        now = self.now()
        for machine in list(self.machines.values()):
            limit = machine.scheduling.get("maxRunDuration")
            if limit is not None and machine.ended is None:
                ends = machine.created + timedelta(seconds=int(limit["seconds"]))
                if now >= ends:
                    machine.ended, machine.deleted = ends, machine.scheduling["instanceTerminationAction"] == "DELETE"
            if machine.deleted and self._is_over(machine):
                del self.machines[machine.zone, machine.name]

    def _is_over(self, machine: Machine) -> bool:
        return machine.ended is not None and self.now() >= machine.ended + timedelta(seconds=self.ending_s)

    def status(self, machine: Machine) -> str:
        """Where an instance stands, in the API's words."""
        if machine.ended is not None:
            return "TERMINATED" if self._is_over(machine) else "STOPPING"
        age_s = (self.now() - machine.created).total_seconds()
        return "RUNNING" if age_s >= self.boot_s else "STAGING" if age_s >= self.boot_s / 2 else "PROVISIONING"

    def end(self, machine: Machine, *, deleted: bool) -> None:
        """Begin the end of an instance."""
        machine.ended = machine.ended or self.now()
        machine.deleted = machine.deleted or deleted

    # ---- what is asked for -------------------------------------------------------------------------------------------

    def bulk_insert(self, zone: str, body: Body, request: str | None) -> Operation:
        """As many of the named instances as there is stock for, but `minCount` or none."""
        if request is not None and request in self.requests:
            return self.operations[self.requests[request]]
        names = list(body["perInstanceProperties"])
        count, least = int(body["count"]), int(body.get("minCount", body["count"]))
        self._check(zone, body, names)
        room, cause = self._room(zone, count)
        made = room if room >= least else 0
        for name in names[:made]:
            properties = dict(body["instanceProperties"])
            self.machines[zone, name] = Machine(zone, name, next(self._numbers), properties, self.now())
            self.born.append(self.machines[zone, name])
        if zone in self.stock:
            self.stock[zone] -= made
        counts = {"targetVmCount": count, "createdVmCount": made, "failedToCreateVmCount": count - made}
        operation = self.operate(zone, "bulkInsert", zone, counts=counts)
        self._tell(operation, names[made:], cause, short=made < least)
        if request is not None:
            self.requests[request] = operation.name
        return operation

    def _room(self, zone: str, count: int) -> tuple[int, Body]:
        """How many of `count` can be started, and the error for the others."""
        region = zone.rpartition("-")[0]
        used = sum(machine.zone.startswith(f"{region}-") for machine in self.machines.values())
        quota = self.quotas.get(region, used + count) - used
        stock = self.stock.get(zone, count)
        told = {"code": "QUOTA_EXCEEDED", "message": f"Quota 'PREEMPTIBLE_CPUS' exceeded in region {region}."}
        return min(count, stock, quota), told if quota < min(stock, count) else _exhausted(zone)

    def _tell(self, bulk: Operation, missing: list[str], cause: Body, *, short: bool) -> None:
        """Say why some were not started, as openly as `telling` has it."""
        if short:
            bulk.errors.append({"code": "VM_MIN_COUNT_NOT_REACHED", "message": "Requested minimum count not reached."})
        if missing and self.telling == "bulk":
            bulk.errors.append(cause)
        for name in missing if self.telling == "inserts" else ():
            single = self.operate(bulk.zone, "insert", f"{bulk.zone}/instances/{name}", errors=[cause])
            single.group = bulk.group

    def _check(self, zone: str, body: Body, names: list[str]) -> None:
        properties, region = body["instanceProperties"], zone.rpartition("-")[0]
        if properties["machineType"] not in SHAPES:
            raise Wrong(400, "invalid", f"Machine type '{properties['machineType']}' does not exist in zone '{zone}'.")
        if not properties.get("networkInterfaces") or not properties.get("disks"):
            raise Wrong(400, "required", "An instance needs a boot disk and a network interface.")
        scheduling = properties.get("scheduling", {})
        if scheduling.get("provisioningModel") == "SPOT" and scheduling.get("onHostMaintenance") != "TERMINATE":
            raise Wrong(400, "invalid", "Spot instances cannot migrate.")
        taken = next((name for name in names if (zone, name) in self.machines), None)
        if taken is not None:
            raise Wrong(409, "alreadyExists", f"The resource '{self.path(zone)}/instances/{taken}' already exists")
        if not self.quotas_late and self._room(zone, int(body["count"]))[1]["code"] == "QUOTA_EXCEEDED":
            raise Wrong(403, "quotaExceeded", f"Quota 'PREEMPTIBLE_CPUS' exceeded. Limit in region {region}.")

    def delete(self, zone: str, name: str) -> Operation:
        """Begin to delete an instance."""
        machine = self.machine(zone, name)
        self.end(machine, deleted=True)
        return self.operate(zone, "delete", f"{zone}/instances/{name}")

    def machine(self, zone: str, name: str) -> Machine:
        """An instance that is there."""
        if (zone, name) not in self.machines:
            raise Wrong(404, "notFound", f"The resource '{self.path(zone)}/instances/{name}' was not found")
        return self.machines[zone, name]

    def operate(
        self, zone: str, kind: str, target: str, *, errors: list[Body] | None = None, counts: Body | None = None
    ) -> Operation:
        """A new operation."""
        now = self.now()
        made = Operation(
            f"operation-{uuid.uuid4()}",
            next(self._numbers),
            zone,
            kind,
            f"{BASE}/projects/{self.name}/zones/{target}",
            now,
            now + timedelta(seconds=self.operation_s),
            errors or [],
            counts,
        )
        self.operations[made.name] = made
        return made

    def path(self, zone: str) -> str:
        """The path of a zone."""
        return f"projects/{self.name}/zones/{zone}"

    # ---- what is shown -----------------------------------------------------------------------------------------------

    def show_machine(self, machine: Machine) -> Body:
        """An instance as the API shows it."""
        place = f"{BASE}/{self.path(machine.zone)}"
        nics = [nic | {"networkIP": _address(machine)} for nic in machine.body["networkInterfaces"]]
        return machine.body | {
            "kind": "compute#instance",
            "id": str(machine.number),
            "name": machine.name,
            "zone": place,
            "selfLink": f"{place}/instances/{machine.name}",
            "machineType": f"{place}/machineTypes/{machine.body['machineType']}",
            "creationTimestamp": _stamp(machine.created),
            "status": self.status(machine),
            "networkInterfaces": nics,
        }

    def show_operation(self, operation: Operation) -> Body:
        """An operation as the API shows it."""
        done = self.now() >= operation.ends
        shown: Body = {
            "kind": "compute#operation",
            "id": str(operation.number),
            "name": operation.name,
            "operationType": operation.kind,
            "targetLink": operation.target,
            "zone": f"{BASE}/{self.path(operation.zone)}",
            "operationGroupId": operation.group,
            "insertTime": _stamp(operation.began),
            "status": "DONE" if done else "RUNNING",
            "progress": 100 if done else 50,
        }
        if operation.counts is not None:
            shown["instancesBulkInsertOperationMetadata"] = {
                "perLocationStatus": {f"zones/{operation.zone}": operation.counts | {"status": "DONE"}}
            }
        if done and operation.errors:
            shown |= {"error": {"errors": operation.errors}, "httpErrorStatusCode": 503}
            shown["httpErrorMessage"] = "SERVICE UNAVAILABLE"
        return shown


def _exhausted(zone: str) -> Body:
    told = f"The zone '{zone}' does not have enough resources available to fulfill the request. Try a different zone."
    return {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": told}


def _address(machine: Machine) -> str:
    return f"10.128.{machine.number // 250 % 250}.{machine.number % 250 + 2}"


def _stamp(at: datetime) -> str:
    """Google writes its times in Pacific time, with milliseconds."""
    return (at.astimezone(UTC) - timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "-08:00"
