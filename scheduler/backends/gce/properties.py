"""What an order's instances are, in the words of the Compute API (snake_case, as its Python client has them): pure.

Ours is laid over the instance template that the pool may name. A Spot instance is deleted when it is taken back, and
every instance when its time is up: Google Cloud does that by itself, whether the farm still exists or not.
https://cloud.google.com/compute/docs/instances/limit-vm-runtime
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, LABEL_POOL, BackendError, LaunchOrder
from scheduler.backends.gce.naming import labels
from scheduler.backends.gce.places import Place
from scheduler.backends.identity import with_identity
from scheduler.settings import GcePool

DEFAULT_IMAGE = "projects/debian-cloud/global/images/family/debian-12"
START_UP_MAX_BYTES = 256 * 1024
"""Google Cloud's limit on one value of metadata: https://cloud.google.com/compute/docs/metadata/setting-custom-metadata"""
OWN_NAME_URL = "http://metadata.google.internal/computeMetadata/v1/instance/name"
LIFE_MIN_S, LIFE_MAX_S = 30, 120 * 86_400
"""Google Cloud's bounds on `maxRunDuration`."""

STAYS = ("a", "g", "h", "z")
"""Machine families that cannot move to another host, as Spot and GPUs cannot: A2 to A4, G2, G4, H3, H4D, Z3.
https://cloud.google.com/compute/docs/instances/live-migration-process#limitations"""

Data = dict[str, Any]


def own_labels(farm_id: str, pool: str, intent: str) -> dict[str, str]:
    """The three labels that every instance of an order carries, with their exact values."""
    return {LABEL_FARM: farm_id, LABEL_POOL: pool, LABEL_INTENT: intent}


def bulk_resource(names: Sequence[str], properties: Data) -> Data:
    """The body of a bulk insert: as many of these names as can be had, at least one."""
    return {
        "count": len(names),
        "min_count": 1,
        "per_instance_properties": {name: {} for name in names},
        "instance_properties": properties,
    }


def instance_properties(
    settings: GcePool, base: Mapping[str, Any], order: LaunchOrder, place: Place, own: Mapping[str, str]
) -> Data:
    """`InstanceProperties` of an order in a place. `base` is the taken template's (empty: none).

    Raises:
        BackendError: the start-up script is too long.
    """
    tagged = labels({**base.get("labels", {}), **settings.labels, **order.labels, **own})
    made: Data = dict(base) | {
        "machine_type": place.machine_type,
        "labels": tagged,
        "metadata": {"items": _metadata(base, with_identity(order.start_up, own_name(place.zone)), own)},
        "disks": _disks(settings, base, tagged),
        "network_interfaces": [_interface(settings, base, place)],
        "scheduling": _scheduling(settings, base, order, place),
    }
    if settings.network_tags:
        made["tags"] = {"items": list(settings.network_tags)}
    if settings.gpu_type is not None:
        made["guest_accelerators"] = [{"accelerator_type": settings.gpu_type, "accelerator_count": settings.gpus}]
    if settings.service_account is not None:
        made["service_accounts"] = [{"email": settings.service_account, "scopes": list(settings.scopes)}]
    return made


def own_name(zone: str) -> str:
    """A shell command that prints the id of the instance that it runs on."""
    asked = f"curl -sf --retry 5 --max-time 10 -H 'Metadata-Flavor: Google' {OWN_NAME_URL}"
    return f'printf "{zone}/%s" "$({asked} || hostname -s)"'


def _metadata(base: Mapping[str, Any], script: str, own: Mapping[str, str]) -> list[Data]:
    size = len(script.encode())
    if size > START_UP_MAX_BYTES:
        raise BackendError(
            f"The start-up script has {size} bytes; Google Cloud takes {START_UP_MAX_BYTES}.",
            hint="Bake what the script brings along into an image, and name it in the pool's `image`.",
        )
    theirs = cast("list[Data]", (base.get("metadata") or {}).get("items") or [])
    ours = {**own, "startup-script": script, "block-project-ssh-keys": "true"}
    kept = [item for item in theirs if item["key"] not in (*ours, "startup-script-url")]
    return [*kept, *({"key": key, "value": value} for key, value in sorted(ours.items()))]


def _disks(settings: GcePool, base: Mapping[str, Any], tagged: Mapping[str, str]) -> list[Data]:
    """The boot disk as the pool wants it, and further ones of a taken template; all go when the instance goes."""
    theirs = cast("list[Data]", base.get("disks") or [])
    boot = next((disk for disk in theirs if disk.get("boot")), {})
    parameters: Data = dict(boot.get("initialize_params") or {})
    image = settings.image or parameters.get("source_image") or DEFAULT_IMAGE
    parameters |= {
        "source_image": image,
        "disk_size_gb": settings.disk_gib,
        "disk_type": settings.disk_type,
        "labels": dict(tagged),
    }
    others = [disk | {"auto_delete": True} for disk in theirs if not disk.get("boot")]
    return [boot | {"boot": True, "auto_delete": True, "initialize_params": parameters}, *others]


def _interface(settings: GcePool, base: Mapping[str, Any], place: Place) -> Data:
    """The one network interface; without an access configuration it has no public address."""
    theirs = cast("list[Data]", base.get("network_interfaces") or [{}])[0]
    dropped = ("access_configs", "ipv6_access_configs", "network_i_p", "stack_type")
    made = {name: value for name, value in theirs.items() if name not in dropped} | {"stack_type": "IPV4_ONLY"}
    if settings.subnetwork is not None:
        made["subnetwork"] = _subnetwork(settings, place)
        made.pop("network", None)
    if settings.network is not None:
        made["network"] = settings.network if "/" in settings.network else f"global/networks/{settings.network}"
    if not made.keys() & {"network", "subnetwork"}:
        made["network"] = "global/networks/default"
    if settings.public_address:
        made["access_configs"] = [{"name": "External NAT", "type_": "ONE_TO_ONE_NAT"}]
    return made


def _subnetwork(settings: GcePool, place: Place) -> str:
    """A name is looked for in the place's region; a path is taken as it is, with `{region}` filled in."""
    given = settings.subnetwork or ""
    if "/" in given:
        return given.replace("{region}", place.region)
    return f"projects/{settings.project}/regions/{place.region}/subnetworks/{given}"


def _scheduling(settings: GcePool, base: Mapping[str, Any], order: LaunchOrder, place: Place) -> Data:
    spot = settings.provisioning == "spot"
    dropped = ("preemptible", "termination_time", "on_host_maintenance")
    made = {name: value for name, value in (base.get("scheduling") or {}).items() if name not in dropped} | {
        "provisioning_model": "SPOT" if spot else "STANDARD",
        "instance_termination_action": "DELETE",
        "automatic_restart": False,
        "max_run_duration": {"seconds": min(LIFE_MAX_S, max(LIFE_MIN_S, int(order.life_s)))},
    }
    if spot or settings.gpu_type is not None or place.machine_type.startswith(STAYS):
        made["on_host_maintenance"] = "TERMINATE"
    return made
