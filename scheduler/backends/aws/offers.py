"""What the pool's instance types are and cost: shapes from EC2, prices from the settings or the spot market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scheduler.backends.aws.connection import Connection
from scheduler.backends.base import BackendError, Offer
from scheduler.clock import Clock
from scheduler.errors import Unavailable
from scheduler.settings import AwsPool

FAILED_AGE_S = 60.0
"""How long a price that could not be renewed is kept before EC2 is asked again."""
BILLING_MIN_S = 60.0
"""EC2 bills the first minute whole: https://aws.amazon.com/ec2/pricing/on-demand/"""
PRODUCTS = ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"]

Shapes = dict[str, tuple[int, float, int]]
"""Instance type → vCPUs, GiB, GPUs."""


def own_price(settings: AwsPool, kind: str) -> float | None:
    """What the settings say that an instance costs in an hour; None where they leave it to EC2."""
    return settings.prices_usd_per_hour.get(kind, settings.price_usd_per_hour or None)


def offer(settings: AwsPool, kind: str, shape: tuple[int, float, int], spot_usd_per_hour: float | None) -> Offer:
    """The offer of one instance type. A price that nobody knows is 0, and the plan says so."""
    own, cap = own_price(settings, kind), settings.spot_price_max_usd_per_hour
    price = own if own is not None else spot_usd_per_hour or 0.0
    spot = settings.market == "spot"
    return Offer(
        machine=kind,
        vcpus=shape[0],
        memory_gib=shape[1],
        gpus=shape[2],
        price_usd_per_hour=min(price, cap) if spot and cap is not None else price,
        boot_s=settings.boot_s,
        billing_s=max(settings.billing_s, BILLING_MIN_S),
        loss_per_hour=settings.loss_per_hour if spot else 0.0,
        place=settings.region,
    )


class Market:
    """Asks EC2 for shapes once, and for prices at most every `price_age_s`."""

    def __init__(self, settings: AwsPool, connection: Connection, clock: Clock) -> None:
        self._settings = settings
        self._connection = connection
        self._clock = clock
        self._shapes: Shapes = {}
        self._spot: dict[str, float] = {}
        self._good_until_s: float | None = None
        self._failed: tuple[float, Unavailable] | None = None

    def offers(self) -> tuple[Offer, ...]:
        """One offer per instance type, in the pool's order.

        Raises:
            Unavailable: EC2 has never answered so far.
        """
        now_s = self._clock.monotonic()
        if self._failed is not None and now_s - self._failed[0] < FAILED_AGE_S and not self._shapes:
            raise self._failed[1]
        if self._good_until_s is None or now_s >= self._good_until_s:
            self._renew(now_s)
        return tuple(
            offer(self._settings, kind, self._shapes[kind], self._spot.get(kind))
            for kind in self._settings.instance_types
        )

    def _renew(self, now_s: float) -> None:
        settings = self._settings
        try:
            self._shapes = self._shapes or self._ask_shapes()
            asked = [kind for kind in settings.instance_types if own_price(settings, kind) is None]
            if asked and settings.market == "spot":
                self._spot = self._ask_prices(asked)
            self._good_until_s, self._failed = now_s + settings.price_age_s, None
        except Unavailable as error:
            self._failed = (now_s, error)
            if self._good_until_s is None:
                raise
            self._good_until_s = now_s + FAILED_AGE_S  # an old price is better than none

    def _ask_shapes(self) -> Shapes:
        wanted = list(self._settings.instance_types)
        found = self._connection.ask("describe_instance_types", InstanceTypes=wanted)["InstanceTypes"]
        shapes = {str(kind["InstanceType"]): _shape(kind) for kind in found}
        missing = [kind for kind in wanted if kind not in shapes]
        if missing:
            raise BackendError(
                f"EC2 has no instance type {', '.join(missing)} in {self._settings.region}.",
                hint="Correct the pool's `instance_types`.",
            )
        return shapes

    def _ask_prices(self, kinds: list[str]) -> dict[str, float]:
        pages = self._connection.pages(
            "describe_spot_price_history",
            InstanceTypes=kinds,
            ProductDescriptions=PRODUCTS,
            StartTime=self._clock.now(),  # the prices that are in force now, one of each zone
        )
        return dearest(row for page in pages for row in page["SpotPriceHistory"])


def dearest(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Instance type → its price where it is dearest; which zone a fleet will take nobody knows before."""
    found: dict[str, float] = {}
    for row in rows:
        kind, price = str(row["InstanceType"]), float(row["SpotPrice"])
        found[kind] = max(price, found.get(kind, 0.0))
    return found


def _shape(kind: Mapping[str, Any]) -> tuple[int, float, int]:
    gpus = (kind.get("GpuInfo") or {}).get("Gpus") or []
    memory_gib = int(kind["MemoryInfo"]["SizeInMiB"]) / 1024
    return int(kind["VCpuInfo"]["DefaultVCpus"]), memory_gib, sum(int(gpu.get("Count", 1)) for gpu in gpus)
