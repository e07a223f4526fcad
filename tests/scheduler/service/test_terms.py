"""What a pool's instances cost where one machine is offered in several places."""

from __future__ import annotations

from scheduler.backends.base import Offer
from scheduler.service.terms import terms_of
from scheduler.settings import GcePool


def test_a_machine_costs_what_it_costs_where_it_is_dearest() -> None:
    offers = [Offer("c3", 8, 32.0, price_usd_per_hour=price, place=place) for place, price in (("a", 0.2), ("b", 0.1))]
    terms = terms_of(GcePool(project="p", zones=("a", "b")), offers, 0.0)

    assert terms.prices == {"c3": 0.2} and terms.price_usd_per_hour == 0.2
