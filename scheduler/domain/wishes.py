"""What counts for a job when several have a say: a person's override, production's tracker, the job itself. And where
the farm's order differs from what production wants, and why. It owns no numbers and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Whose priority a job goes by."""

    OVERRIDE = "override"
    TRACKER = "tracker"
    JOB = "job"


def effective_priority(own: int, tracked: int | None, override: int | None) -> tuple[int, Source]:
    """The priority that counts, 0 to 100, and whose it is: an override, else the tracker's wish, else the job's own."""
    if override is not None:
        return override, Source.OVERRIDE
    if tracked is not None:
        return tracked, Source.TRACKER
    return own, Source.JOB


def effective_deadline(own: float | None, tracked: float | None) -> float | None:
    """The earlier of the job's and the tracker's deadline; None if neither has one. Seconds since the epoch."""
    return min((deadline for deadline in (own, tracked) if deadline is not None), default=None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A job as the farm has it and as production wants it.

    `wanted` is the tracker's priority (None: it has no opinion), `priority` the effective one, `place` the job's place
    in the queue from 1 (None: it is not in the queue), `score` its rank's, `boost` the points in it that were bought.
    `held` is the status by which production holds the job back; `held_by` says who paused it ("tracking" or a person).
    """

    job: int
    wanted: int | None
    priority: int
    place: int | None = None
    score: float = 0.0
    boost: float = 0.0
    paused: bool = False
    held: str | None = None
    held_by: str = ""


def drifts(standings: Iterable[Standing]) -> dict[int, str]:
    """The jobs with which the farm does not do what production wants, with the reason in words.

    Jobs that production has no opinion of drift from nothing, and nothing drifts from them.
    """
    found: dict[int, str] = {}
    rows = list(standings)
    for row in rows:
        alone = _alone(row)
        if alone:
            found[row.job] = alone
    queue = sorted((row for row in rows if row.wanted is not None and row.place is not None), key=_place)
    for row, other, ahead in _inversions(queue):
        first, second = (row, other) if ahead else (other, row)
        words = "goes before" if ahead else "comes after"
        wanted = "more" if ahead else "less"
        cause = _cause(first, second)
        found.setdefault(
            row.job,
            f"It {words} job {other.job:05d}, which production wants {wanted} ({other.wanted} against {row.wanted}):"
            f" {cause}.",
        )
    return found


def _alone(row: Standing) -> str | None:
    """What differs from production's wish whatever the other jobs do."""
    if row.held is not None and not row.paused:
        return f"Production holds it back ({row.held}), but a person lets it go on."
    if row.paused and row.wanted is not None and row.held is None and row.held_by != "tracking":
        return "A person has paused it; production does not hold it back."
    if row.wanted is not None and row.priority != row.wanted:
        return f"A person has set its priority to {row.priority}; production wants {row.wanted}."
    return None


def _inversions(queue: Sequence[Standing]) -> Iterable[tuple[Standing, Standing, bool]]:
    """Jobs that stand behind one that is wanted less, or before one that is wanted more (True), with the worst such."""
    least: Standing | None = None
    for row in queue:
        if least is not None and _wanted(least) < _wanted(row):
            yield row, least, False
        if least is None or _wanted(row) < _wanted(least):
            least = row
    most: Standing | None = None
    for row in reversed(queue):
        if most is not None and _wanted(most) > _wanted(row):
            yield row, most, True
        if most is None or _wanted(row) > _wanted(most):
            most = row


def _cause(first: Standing, second: Standing) -> str:
    """Why `first` goes before `second` although production wants it less."""
    causes: list[str] = []
    if first.priority > _wanted(first):
        causes.append(f"job {first.job:05d} was given {first.priority} by a person")
    if second.priority < _wanted(second):
        causes.append(f"job {second.job:05d} was given {second.priority} by a person")
    if first.boost > second.boost:
        causes.append(f"{first.boost - second.boost:g} points of priority were bought for it")
    rest = _rest(first) - _rest(second)
    if not causes or rest >= _wanted(second) - _wanted(first):
        causes.append(f"deadline, share and age count {rest:.4g} points more for job {first.job:05d}")
    return " and ".join(causes)


def _rest(row: Standing) -> float:
    return row.score - row.priority - row.boost


def _wanted(row: Standing) -> int:
    return row.wanted if row.wanted is not None else row.priority


def _place(row: Standing) -> int:
    return row.place or 0
