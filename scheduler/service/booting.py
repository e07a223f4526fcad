"""How patient an instance of a pool is with having nothing to do: a decision over the pool's settings. Pure."""

from __future__ import annotations

from scheduler.settings import PoolSettings

DEAD_IDLE_MIN_S = 1800.0
DEAD_IDLE_TIMES = 3.0
"""The dead-man timer ends an idle machine only long after the farm itself should have, in case the farm is gone."""


def dead_idle_s(settings: PoolSettings) -> float:
    """How long a machine may be idle before it ends itself; 0: for ever, where idle ones are kept on purpose."""
    kept = settings.workers_min > 0 or settings.autoscale in ("none", "static", "twostate")
    return 0.0 if kept else max(DEAD_IDLE_MIN_S, DEAD_IDLE_TIMES * settings.idle_s)
