"""How patient instances are with having nothing to do."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.service.booting import dead_idle_s
from scheduler.settings import AwsPool

AWS: dict[str, Any] = {"region": "eu-central-1", "autoscale": "demand"}


@pytest.mark.parametrize(
    ("more", "idle_s"),
    [
        ({}, 1800.0),
        ({"idle_s": 3600.0}, 10_800.0),
        ({"workers_min": 1}, 0.0),
        ({"autoscale": "static"}, 0.0),
    ],
)
def test_an_idle_machine_ends_itself_only_where_nobody_keeps_it(more: dict[str, Any], idle_s: float) -> None:
    assert dead_idle_s(AwsPool(**(AWS | more))) == idle_s
