"""Rented pools, their instances and the work that waits for them, for tests of autoscaling."""

from __future__ import annotations

from typing import Any

from scheduler.domain.resizing import decide
from scheduler.domain.scaling import Decision, Ground, InstanceView, Phase, Policy, PoolView, Scaling, Work

HOUR_S = 3600.0
NOW_S = 1_000_000.0


def instance(
    name: str = "i", phase: Phase = Phase.RUNNING, *, age_s: float = 7200.0, idle_s: float | None = None
) -> InstanceView:
    """An instance of that age, idle for so long (None: busy)."""
    return InstanceView(name, phase, NOW_S - age_s, None if idle_s is None else NOW_S - idle_s)


def pool(policy: Policy, *instances: InstanceView, name: str = "cloud", **more: Any) -> PoolView:
    """A pool of at most 20 workers at half a dollar."""
    terms: dict[str, Any] = {"workers_max": 20, "price_usd_per_hour": 0.5, "boot_s": 60.0} | more
    return PoolView(name, policy, instances, **terms)


def waiting(
    job: int = 1, tasks: int = 10, task_s: float = 600.0, *, pools: tuple[str, ...] = ("cloud",), **more: Any
) -> Work:
    """A job without a date, all of whose tasks are ready."""
    work_s = tasks * task_s
    facts: dict[str, Any] = {"home_power": 10.0} | more
    return Work(job, pools, tasks, work_s, tasks, work_s, task_s, **facts)


def late(job: int = 1, tasks: int = 40, *, late_h: float, in_h: float, **more: Any) -> Work:
    """A job that would end so late at home, and is due in so many hours."""
    due_s = NOW_S + in_h * HOUR_S
    finish_s = due_s + late_h * HOUR_S
    return waiting(job, tasks, deadline_s=due_s, home_finish_s=finish_s, home_high_s=finish_s, **more)


def asked(*pools: PoolView, work: tuple[Work, ...] = (), **more: Any) -> Decision:
    """What is decided about these pools."""
    return decide(Ground(NOW_S, pools, work, **more))


def one(view: PoolView, *work: Work, **more: Any) -> Scaling:
    """What is decided about one pool."""
    (scaling,) = asked(view, work=work, **more).scalings
    return scaling
