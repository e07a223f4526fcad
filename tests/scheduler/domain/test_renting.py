"""What work on rented machines costs, with losses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rented import HOUR_S, pool

from scheduler.domain.renting import rework, usd_per_work_s
from scheduler.domain.scaling import Policy


def test_what_work_costs_counts_power_slots_and_losses():
    slow = pool(Policy.DEMAND, price_usd_per_hour=0.5, power=0.5)
    fast = pool(Policy.DEMAND, price_usd_per_hour=0.9)
    lossy = pool(Policy.DEMAND, price_usd_per_hour=0.5, loss_per_hour=0.5)

    assert usd_per_work_s(fast, 600) < usd_per_work_s(slow, 600)
    assert usd_per_work_s(lossy, 2 * HOUR_S) > usd_per_work_s(fast, 2 * HOUR_S)
    assert usd_per_work_s(lossy, 60) == pytest.approx(usd_per_work_s(replace(lossy, loss_per_hour=0.0), 60), rel=0.02)


def test_rework_is_what_a_simulation_of_losses_gives():
    import random

    view, task_s, luck = pool(Policy.DEMAND, loss_per_hour=0.3), 3 * HOUR_S, random.Random(5)
    rate = 0.35667494393873245 / HOUR_S  # -ln(0.7)
    spent_s = 0.0
    for _task in range(20_000):
        while (lasts_s := luck.expovariate(rate)) < task_s:
            spent_s += lasts_s + view.boot_s
        spent_s += task_s

    assert rework(view, task_s) == pytest.approx(spent_s / 20_000 / task_s, rel=0.03)
