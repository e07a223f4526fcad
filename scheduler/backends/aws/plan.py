"""What a launch would do, in lines for people: pure, and made of the same request that a launch sends."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.backends.aws.fleets import places
from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, LABEL_POOL, LaunchPlan, Offer
from scheduler.settings import AwsPool


def launch_plan(settings: AwsPool, count: int, offers: Sequence[Offer], *, farm_id: str, pool: str) -> LaunchPlan:
    """The plan for `count` instances, at the price of the dearest type that the fleet may choose."""
    dearest = max(offer.price_usd_per_hour for offer in offers)
    encrypted = "encrypted" if settings.disk_encrypted else "not encrypted"
    labels = "".join(f", {name}={value}" for name, value in sorted(settings.labels.items()))
    lines = (
        f"{count} × Amazon EC2 {_market(settings)} in {settings.region}, by one instant fleet",
        f"chosen from: {_choices(settings)}",
        _cost(count, offers),
        f"image {_image(settings)}, boot disk {settings.disk_gib} GiB {settings.disk_type}, {encrypted}",
        _network(settings),
        f"tags {LABEL_FARM}={farm_id}, {LABEL_POOL}={pool}, {LABEL_INTENT}=(the order's){labels}",
        f"each ends itself {settings.life_s / 3600:.1f} h after its first boot, and is terminated when it shuts down",
    )
    return LaunchPlan(count, count * dearest, lines)


def _market(settings: AwsPool) -> str:
    if settings.market == "on_demand":
        return "on-demand instances (the preferred type first)"
    cap = settings.spot_price_max_usd_per_hour
    most = f", at most {cap:.4f} USD/h each" if cap is not None else ""
    return f"spot instances ({settings.spot_strategy}{most})"


def _choices(settings: AwsPool) -> str:
    found = [" in ".join(str(p[key]) for key in ("InstanceType", "SubnetId") if key in p) for p in places(settings)]
    return ", ".join(found)


def _cost(count: int, offers: Sequence[Offer]) -> str:
    unknown = [offer.machine for offer in offers if offer.price_usd_per_hour == 0]
    if unknown:
        return f"price not known of {', '.join(unknown)}: set the pool's prices_usd_per_hour"
    low, high = (find(offer.price_usd_per_hour for offer in offers) for find in (min, max))
    each = f"{high:.4f}" if low == high else f"{low:.4f} to {high:.4f}"
    return f"{each} USD/h each, at most {count * high:.2f} USD/h together"


def _image(settings: AwsPool) -> str:
    if settings.image is not None:
        return settings.image
    return f"of the launch template {settings.launch_template}" if settings.launch_template else "Ubuntu 24.04"


def _network(settings: AwsPool) -> str:
    address = "a public address" if settings.public_address else "no public address"
    groups, role = ", ".join(settings.security_groups) or "default", settings.instance_profile or "none"
    return f"{address}; security groups: {groups}; role: {role}; IMDSv2 only, hop limit 1"
