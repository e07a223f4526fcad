"""What instances of EC2 are and cost, and how often EC2 is asked for it."""

from __future__ import annotations

import pytest
from ec2_pools import Ec2Desk
from fake_ec2 import FakeEc2

from scheduler.backends.aws import connection
from scheduler.backends.aws.offers import FAILED_AGE_S, dearest
from scheduler.backends.base import BackendError
from scheduler.clock import ManualClock
from scheduler.errors import Unavailable

SPOT = "DescribeSpotPriceHistory"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def desk(ec2: FakeEc2, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Ec2Desk:
    monkeypatch.setattr(connection, "ASK_ATTEMPTS_MAX", 1)
    return Ec2Desk(ec2, clock=clock)


def test_shapes_are_ec2s_and_prices_the_pools(desk: Ec2Desk) -> None:
    pool = {"instance_types": ("g5.xlarge", "c7i.2xlarge"), "prices_usd_per_hour": {"c7i.2xlarge": 0.14}}
    gpu, cpu = desk.backend(**pool, price_usd_per_hour=0.5).offers()

    assert (gpu.machine, gpu.vcpus, gpu.memory_gib, gpu.gpus, gpu.price_usd_per_hour) == ("g5.xlarge", 4, 16.0, 1, 0.5)
    assert (cpu.machine, cpu.vcpus, cpu.gpus, cpu.price_usd_per_hour) == ("c7i.2xlarge", 8, 0, 0.14)
    assert cpu.billing_s == 60.0 and cpu.loss_per_hour == 0.05 and cpu.place == "us-east-1"


def test_spot_without_a_price_of_its_own_costs_what_ec2_says(desk: Ec2Desk) -> None:
    offers = desk.backend(price_usd_per_hour=0).offers()

    assert [offer.price_usd_per_hour for offer in offers] == [0.00001] * 2, "moto's price"
    (asked,) = desk.ec2.sent(SPOT)
    assert asked["StartTime"].startswith("2026-01-01T00:00:00")


def test_the_price_is_that_of_the_dearest_zone() -> None:
    rows = [{"InstanceType": "a", "SpotPrice": price} for price in ("0.10", "0.30", "0.20")]

    assert dearest(rows) == {"a": 0.3}


def test_the_most_that_is_paid_caps_the_price(desk: Ec2Desk) -> None:
    (one,) = desk.backend(instance_types=["c7i.2xlarge"], spot_price_max_usd_per_hour=0.1).offers()

    assert one.price_usd_per_hour == 0.1


def test_on_demand_is_never_taken_back_and_needs_a_price(desk: Ec2Desk) -> None:
    backend = desk.backend(market="on_demand", price_usd_per_hour=0, instance_types=["c7i.2xlarge"])
    (one,) = backend.offers()

    assert one.loss_per_hour == 0 and one.price_usd_per_hour == 0
    assert "price not known of c7i.2xlarge" in backend.plan(1).lines[2]
    assert desk.ec2.sent(SPOT) == []


def test_ec2_is_asked_again_when_a_price_is_old(desk: Ec2Desk, clock: ManualClock) -> None:
    backend = desk.backend(price_usd_per_hour=0, price_age_s=120)
    for _second in range(60):
        backend.offers()
        clock.advance(1.0)
    assert len(desk.ec2.sent(SPOT)) == 1
    clock.advance(61.0)
    backend.offers()

    assert len(desk.ec2.sent(SPOT)) == 2
    assert len(desk.ec2.sent("DescribeInstanceTypes")) == 1


def test_an_old_price_is_better_than_none(desk: Ec2Desk, clock: ManualClock) -> None:
    backend = desk.backend(price_usd_per_hour=0, price_age_s=120)
    before = backend.offers()
    clock.advance(121.0)
    desk.ec2.fail(SPOT, "RequestLimitExceeded", 503)

    assert backend.offers() == before
    assert backend.offers() == before
    assert len(desk.ec2.sent(SPOT)) == 2, "and EC2 is left in peace for a minute"


def test_where_ec2_never_answered_it_is_asked_once_a_minute(desk: Ec2Desk, clock: ManualClock) -> None:
    backend = desk.backend()
    desk.ec2.fail("DescribeInstanceTypes", "InternalError", 500, times=2)
    for _call in range(3):
        with pytest.raises(Unavailable):
            backend.offers()
    assert len(desk.ec2.sent("DescribeInstanceTypes")) == 1
    clock.advance(2 * FAILED_AGE_S)
    with pytest.raises(Unavailable):
        backend.offers()
    clock.advance(2 * FAILED_AGE_S)

    assert len(backend.offers()) == 2


def test_a_type_that_does_not_exist_is_named(desk: Ec2Desk) -> None:
    with pytest.raises(BackendError, match=r"c99\.huge"):
        desk.backend(instance_types=["c99.huge"]).offers()
