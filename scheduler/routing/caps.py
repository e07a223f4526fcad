"""How many more slots the caps of rules leave to a step, from what runs now. It counts; it stops nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler.routing.rules import EVERY_POOL, Cap

CapKey = tuple[str, str]
"""Rule and pool, as a cap names them; its slots are shared by all jobs that match the rule."""


def keys_in(caps: Iterable[Cap], pool: str) -> tuple[CapKey, ...]:
    """The counters that one more task in this pool adds to."""
    return tuple((cap.rule, cap.pool) for cap in caps if cap.pool in (pool, EVERY_POOL))


def room_in(
    caps: Iterable[Cap], pool: str, running: Mapping[CapKey, int], slots: Mapping[str, int]
) -> tuple[int | None, str | None]:
    """How many more tasks may start in a pool, and the rule that says so; (None, None): no cap touches it.

    `running` counts the tasks that hold slots, by `keys_in` of their steps; `slots` are the slots of each pool. A cap
    on every pool is one bound on all of them together.
    """
    least: int | None = None
    by: str | None = None
    for cap in caps:
        if cap.pool not in (pool, EVERY_POOL):
            continue
        whole = sum(slots.values()) if cap.pool == EVERY_POOL else slots.get(pool, 0)
        left = max(0, cap.slots_of(whole) - running.get((cap.rule, cap.pool), 0))
        if least is None or left < least:
            least, by = left, cap.rule
    return least, by
