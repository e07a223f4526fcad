"""Which group of slots does how much of a job, as the fast forward lays its tasks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from scheduler.domain.slots import Lanes


class Portion(NamedTuple):
    """What one group of slots does of a job: tasks, and the seconds that they hold slots there from now on.

    `doubt` is the log-sd of what is known of a frame, `spread` that of single tasks around it.
    """

    group: str
    tasks: float
    slot_s: float
    doubt: float = 0.0
    spread: float = 0.0


def waiting_portions(
    tasks: int, task_s: float, doubt: float, spread: float, usable: Sequence[Lanes], before: Sequence[float]
) -> Iterator[Portion]:
    """Where the waiting tasks of a step went; `before` is what each group had been laid until then."""
    laid = [1.0] if len(usable) == 1 else [lane.laid - was for lane, was in zip(usable, before, strict=True)]
    total = sum(laid) or 1.0
    for lane, part in zip(usable, laid, strict=True):
        here = tasks * part / total
        if here > 0:
            yield Portion(lane.name, here, here * task_s / lane.power, doubt, spread)


def running_portions(
    running: Sequence[tuple[str, float]], task_s: float, doubt: float, spread: float, lanes: Mapping[str, Lanes]
) -> Iterator[Portion]:
    """What the running tasks of a step (group, share that is left) have left, each where it runs."""
    for name, left in running:
        power = lanes[name].power if name in lanes else 1.0
        yield Portion(name, 1.0, left * task_s / power, doubt, spread)
