"""What an instance of a pool is and costs: by the settings, by a file of prices, or by its backend's offers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.backends.base import Offer
from scheduler.errors import Refused
from scheduler.settings import PoolSettings


@dataclass
class Terms:
    """What one instance of the pool is and costs, as last known; `price_usd_per_hour` is the dearest that may come."""

    offers: Sequence[Offer] = ()
    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    price_usd_per_hour: float = 0.0
    billing_s: float = 1.0
    at_s: float | None = None


def terms_of(settings: PoolSettings, offers: Sequence[Offer], now_s: float) -> Terms:
    """What the pool's instances cost: by the settings, else by the prices file, else by the backend's offers.

    Raises:
        Refused: the prices file cannot be read.
    """
    listed = _listed_prices(settings)
    own = settings.price_usd_per_hour
    prices: dict[str, float] = {}
    for offer in offers:  # one machine may be offered in several places, each at its price
        price = own if own > 0 else listed.get(offer.machine, offer.price_usd_per_hour)
        prices[offer.machine] = max(price, prices.get(offer.machine, 0.0))
    billing_s = max([settings.billing_s, *(offer.billing_s for offer in offers)])
    return Terms(offers, prices, max([own, *prices.values()]), billing_s, now_s)


def _listed_prices(settings: PoolSettings) -> dict[str, float]:
    if settings.prices_file is None:
        return {}
    try:
        table = tomllib.loads(settings.prices_file.read_text())
        return {name: float(price) for name, price in table.items()}
    except (OSError, ValueError, TypeError) as error:
        raise Refused(
            f"The prices in {settings.prices_file} cannot be read: {error}.",
            code="prices_unreadable",
            hint='One line for each machine type, such as "c7i.2xlarge" = 0.357; correct it, the farm reads it again.',
        ) from error
