"""What a pool's places offer and what a launch would do: shapes from Google Cloud, prices from the settings."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, LABEL_POOL, BackendError, LaunchPlan, Offer
from scheduler.backends.gce.connection import Connection
from scheduler.backends.gce.naming import label
from scheduler.backends.gce.places import Place
from scheduler.backends.gce.properties import DEFAULT_IMAGE
from scheduler.clock import Clock
from scheduler.errors import Unavailable
from scheduler.settings import GcePool

FAILED_AGE_S = 60.0
"""How long Google Cloud is left in peace after it did not answer."""
BILLING_MIN_S = 60.0
"""The first minute is billed whole: https://cloud.google.com/compute/vm-instance-pricing"""

Shape = tuple[int, float, int]
"""vCPUs, GiB, GPUs."""


class Shapes:
    """Asks once what a machine type is in a zone; a shape never changes."""

    def __init__(self, settings: GcePool, connection: Connection, clock: Clock) -> None:
        self._settings = settings
        self._connection = connection
        self._clock = clock
        self._known: dict[tuple[str, str], Shape | None] = {}
        self._failed: tuple[float, Unavailable] | None = None

    def offers(self, places: Sequence[Place]) -> tuple[Offer, ...]:
        """One offer per place that has the machine type, in the order of the places.

        Raises:
            Unavailable: Google Cloud has not answered, or no place has such a machine type.
        """
        now_s = self._clock.monotonic()
        if self._failed is not None and now_s - self._failed[0] < FAILED_AGE_S:
            raise self._failed[1]
        try:
            found = [(place, self._shape(place)) for place in places]
        except Unavailable as error:
            self._failed = (now_s, error)
            raise
        offers = tuple(_offer(self._settings, place, shape) for place, shape in found if shape is not None)
        if not offers:
            kinds = ", ".join(sorted({place.machine_type for place in places}))
            raise BackendError(
                f"None of the pool's zones has the machine type {kinds}.",
                hint="Correct the pool's `machine_type` or `zones`.",
            )
        return offers

    def _shape(self, place: Place) -> Shape | None:
        key = (place.zone, place.machine_type)
        if key not in self._known:
            told = self._connection.machine_type(*key)
            built_in = 0 if told is None else sum(int(gpu.guest_accelerator_count) for gpu in told.accelerators)
            gpus = self._settings.gpus or built_in
            self._known[key] = None if told is None else (int(told.guest_cpus), int(told.memory_mb) / 1024, gpus)
        return self._known[key]


def _offer(settings: GcePool, place: Place, shape: Shape) -> Offer:
    return Offer(
        machine=place.machine_type,
        vcpus=shape[0],
        memory_gib=shape[1],
        gpus=shape[2],
        price_usd_per_hour=place.price_usd_per_hour,
        boot_s=settings.boot_s,
        billing_s=max(settings.billing_s, BILLING_MIN_S),
        loss_per_hour=settings.loss_per_hour if settings.provisioning == "spot" else 0.0,
        place=place.zone,
    )


def launch_plan(settings: GcePool, count: int, offers: Sequence[Offer], *, farm_id: str, pool: str) -> LaunchPlan:
    """The plan for `count` instances, at the price of the dearest place that they may come to."""
    dearest = max(offer.price_usd_per_hour for offer in offers)
    gpus = f" with {settings.gpus} × {settings.gpu_type}" if settings.gpu_type else ""
    labels = "".join(f", {name}={value}" for name, value in sorted(settings.labels.items()))
    lines = (
        f"{count} × Google Compute Engine {settings.provisioning} instances in {settings.project}{gpus}",
        f"tried in this order until all are there: {', '.join(_place(offer) for offer in offers)}",
        _cost(count, offers),
        f"image {_image(settings)}, boot disk {settings.disk_gib} GiB {settings.disk_type}",
        _network(settings),
        f"labels {LABEL_FARM}={label(farm_id)}, {LABEL_POOL}={label(pool)}, {LABEL_INTENT}=(the order's){labels}",
        f"Google Cloud deletes each {settings.life_s / 3600:.1f} h after its start",
    )
    return LaunchPlan(count, count * dearest, lines)


def _place(offer: Offer) -> str:
    price = f"{offer.price_usd_per_hour:.4f} USD/h" if offer.price_usd_per_hour else "price not known"
    return f"{offer.machine} in {offer.place} ({price})"


def _cost(count: int, offers: Sequence[Offer]) -> str:
    prices = [offer.price_usd_per_hour for offer in offers]
    if not all(prices):
        return "price not known everywhere: set the pool's price_usd_per_hour or prices_usd_per_hour"
    each = f"{prices[0]:.4f}" if min(prices) == max(prices) else f"{min(prices):.4f} to {max(prices):.4f}"
    return f"{each} USD/h each, at most {count * max(prices):.2f} USD/h together"


def _image(settings: GcePool) -> str:
    if settings.image is not None:
        return settings.image
    return f"of the template {settings.instance_template}" if settings.instance_template else DEFAULT_IMAGE


def _network(settings: GcePool) -> str:
    address = "a public address" if settings.public_address else "no public address"
    network = settings.subnetwork or settings.network or "default"
    return f"{address}; network: {network}; account: {settings.service_account or 'none'}"
