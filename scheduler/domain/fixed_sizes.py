"""`static` and `twostate`: the two policies of Francine, the farm that this one grew out of.

`static` keeps one number of instances. `twostate` keeps one of two numbers by whether the pool was in use within the
last minutes (there it was ten).
"""

from __future__ import annotations

from scheduler.domain.scaling import PoolView, Want

STATIC = "static: {count} workers are kept"
IN_USE = "twostate: the pool was in use within the last {window_s:.0f} s, so {count} workers are kept"
UNUSED = "twostate: the pool was not in use within the last {window_s:.0f} s, so {count} workers are kept"


def static(pool: PoolView) -> Want:
    """The same number, whatever happens."""
    return Want(pool.full_size, (STATIC.format(count=pool.full_size),))


def twostate(pool: PoolView, *, waiting: bool, now_s: float) -> Want:
    """The full size while the pool was in use lately, else the low one. `waiting`: there is ready work for it now."""
    recent = pool.used_at_s is not None and now_s - pool.used_at_s < pool.window_s
    in_use = waiting or pool.busy > 0 or recent
    count = pool.full_size if in_use else min(pool.low, pool.full_size)
    return Want(count, ((IN_USE if in_use else UNUSED).format(count=count, window_s=pool.window_s),))
