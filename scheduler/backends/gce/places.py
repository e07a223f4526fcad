"""Where an order may be placed, in which order, and at what price: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.settings import GcePool


@dataclass(frozen=True, slots=True)
class Place:
    """A machine type in a zone, and what an instance there costs."""

    zone: str
    machine_type: str
    price_usd_per_hour: float

    @property
    def region(self) -> str:
        """The region of the zone; quotas are counted there."""
        return self.zone.rpartition("-")[0]


def price(settings: GcePool, zone: str, machine_type: str) -> float:
    """The price of one instance: the most exact that the settings have. 0: they have none."""
    region = zone.rpartition("-")[0]
    keys = (f"{zone}/{machine_type}", f"{region}/{machine_type}", machine_type, zone, region)
    return next(
        (settings.prices_usd_per_hour[key] for key in keys if key in settings.prices_usd_per_hour),
        settings.price_usd_per_hour,
    )


def places(
    settings: GcePool, stock_outs: Mapping[tuple[str, str], float] | None = None, now_s: float = 0.0
) -> list[Place]:
    """Every place of the pool, the best first.

    A place that had no stock a moment ago comes last; then the preferred machine type, then the price, then the
    pool's own order. `stock_outs` holds when (zone, machine type) was last found empty, on the clock of `now_s`.
    """
    kinds = (settings.machine_type, *settings.machine_types_else)
    ranked: list[tuple[tuple[bool, int, float, int], Place]] = []
    for kind_rank, kind in enumerate(kinds):
        for zone_rank, zone in enumerate(settings.zones):
            place = Place(zone, kind, price(settings, zone, kind))
            cost = place.price_usd_per_hour if settings.cheapest_first else 0.0
            empty_at_s = (stock_outs or {}).get((zone, kind))
            empty = empty_at_s is not None and now_s - empty_at_s < settings.stock_out_s
            ranked.append(((empty, kind_rank, cost, zone_rank), place))
    return [place for _rank, place in sorted(ranked, key=lambda pair: pair[0])]
